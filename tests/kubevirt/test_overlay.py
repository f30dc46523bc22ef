"""Merging an overlay, and telling whether a live object has what was asked for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avance.kubevirt.overlay import holds, merged


@pytest.mark.parametrize(
    ("base", "overlay", "result"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        (
            [{"name": "x", "a": 1}, {"name": "y"}],
            [{"name": "x", "b": 2}],
            [{"name": "x", "a": 1, "b": 2}, {"name": "y"}],
        ),
        ([{"name": "x"}], [{"name": "z", "a": 1}], [{"name": "x"}, {"name": "z", "a": 1}]),
        ([{"name": "x"}], [], []),
        ({"a": {"b": 1}}, {"a": "text"}, {"a": "text"}),
        ({}, {}, {}),
    ],
)
def test_an_overlay_is_laid_over_its_base(base: Any, overlay: Any, result: Any) -> None:
    assert merged(base, overlay) == result


def test_a_null_below_a_new_key_is_no_field() -> None:
    """`{"a": {"b": null}}` removes b; where there was no a, no null may be left that the API server would refuse."""
    assert merged({}, {"a": {"b": None, "c": 1}}) == {"a": {"c": 1}}


@pytest.mark.parametrize(
    ("live", "wanted", "answer"),
    [
        ({"a": 1, "added": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({}, {"a": 1}, False),
        ({"a": {"uuid": "set by others", "b": 1}}, {"a": {"b": 1}}, True),
        ({"a": [{"b": 1, "default": 2}]}, {"a": [{"b": 1}]}, True),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": [2, 1]}, {"a": [1, 2]}, False),
        ({"a": {}}, {"a": {}}, True),
        ({}, {"a": {}}, False),
        (None, {"a": 1}, False),
        ("text", ["text"], False),
    ],
)
def test_an_object_holds_what_was_wanted(live: Any, wanted: Any, answer: bool) -> None:
    assert holds(live, wanted) is answer


_scalars = st.integers(0, 3) | st.booleans() | st.sampled_from(["x", "y"])
_keys = st.sampled_from(["a", "b", "c"])


def _named(names: list[str], items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**item, "name": name} for name, item in zip(names, items, strict=False)]


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    maps = st.dictionaries(_keys, inner)
    named = st.builds(_named, st.lists(_keys, unique=True), st.lists(maps, max_size=3))
    return maps | st.lists(inner, max_size=3) | named


_json = st.recursive(_scalars, _containers, max_leaves=12)
_maps = st.dictionaries(_keys, _json)


@given(_maps, _maps)
def test_what_was_merged_holds_the_maps_of_its_overlay(base: dict[str, Any], overlay: dict[str, Any]) -> None:
    """Lists of named items keep those of the base too; everything else of the overlay is in the result as it was."""
    result = merged(base, overlay)
    for key, value in overlay.items():
        if isinstance(value, list):
            wanted = {str(item.get("name")) if isinstance(item, dict) else str(item) for item in value}
            assert wanted <= {str(item.get("name")) if isinstance(item, dict) else str(item) for item in result[key]}
        elif not isinstance(value, dict):
            assert result[key] == value


@given(_json)
def test_an_object_holds_itself(value: Any) -> None:
    assert holds(value, value)


@given(_maps, _maps)
def test_merging_twice_is_merging_once(base: dict[str, Any], overlay: dict[str, Any]) -> None:
    once = merged(base, overlay)
    assert merged(once, overlay) == once


@given(_maps)
def test_an_empty_overlay_changes_nothing(base: dict[str, Any]) -> None:
    assert merged(base, {}) == base


@given(_maps, st.dictionaries(st.sampled_from(["p", "q"]), _json))
def test_what_others_add_to_a_map_does_not_matter(wanted: dict[str, Any], added: dict[str, Any]) -> None:
    assert holds(wanted | added, wanted)
