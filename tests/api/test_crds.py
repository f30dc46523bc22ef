"""The generated CRDs: up to date, documented, bounded, and in agreement with the models that read what they accept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avance.api import KINDS, AvanceAction, AvancePair, ProtectedVM
from avance.api.base import Resource
from avance.api.crd import definition, differing, main
from avance.api.schema import structural_schema
from tests.api.structural import accepted, defaulted

ROOT = Path(__file__).parents[2]

MINIMAL: dict[type[Resource], dict[str, Any]] = {
    AvancePair: {
        "nodeSelector": {"avance.dev/pair": "site"},
        "fencing": {"nodes": [{"name": "node-a", "address": "https://10.0.0.1", "credentialsSecretName": "bmc"}]},
    },
    ProtectedVM: {
        "pairRef": {"name": "site"},
        "cores": 1,
        "memory": "1Gi",
        "disks": [{"name": "root", "containerImage": "example.org/alpine:3"}],
        "guest": {"instanceType": {"name": "small"}, "preference": {"name": "alpine"}},
    },
    AvanceAction: {"pairRef": {"name": "site"}, "type": "Fence", "target": {"kind": "Node", "name": "node-a"}},
}


def nodes_of(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside a schema, with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes_of(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes_of(schema[key], f"{path}[]")


def below(kind: type[Resource], *parts: str) -> list[tuple[str, dict[str, Any]]]:
    properties = structural_schema(kind)["properties"]
    return [found for part in parts for found in nodes_of(properties[part], part)]


def without_empties(value: Any) -> Any:
    """An empty list, map or text says the same as an absent one."""
    if isinstance(value, dict):
        cleaned = {key: without_empties(item) for key, item in value.items()}
        return {key: item for key, item in cleaned.items() if item not in ("", [], {})}
    if isinstance(value, list):
        return [without_empties(item) for item in value]
    return value


def test_generated_files_are_what_the_models_say() -> None:
    assert differing(ROOT) == [], "run `python -m avance.api.crd` and commit what it writes"


def test_check_notices_a_file_that_was_changed_by_hand(tmp_path: Path) -> None:
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--check", "--root", str(tmp_path)]) == 0
    changed = tmp_path / "crds" / "avance.dev_avancepairs.yaml"
    changed.write_text(changed.read_text().replace("maximum: 100", "maximum: 200", 1))
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert "maximum: 200" in changed.read_text(), "--check writes nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind: type[Resource]) -> None:
    undescribed = [
        path
        for path, schema in below(kind, "spec", "status")
        if not path.endswith("[]") and not schema.get("description", "").endswith((".", ")"))
    ]
    assert undescribed == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_list_map_and_text_is_bounded(kind: type[Resource]) -> None:
    """The API server refuses CEL rules about what could be endless, and etcd has to store it."""
    limits = {"array": "maxItems", "string": "maxLength"}
    unbounded = [
        path
        for path, schema in below(kind, "spec", "status")
        if (limit := limits.get(schema.get("type", ""))) and not {limit, "enum", "format"} & schema.keys()
        if not path.endswith(".report[]")
    ]
    assert unbounded == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_structural(kind: type[Resource]) -> None:
    for path, schema in below(kind, "spec", "status"):
        assert not {"$ref", "anyOf", "allOf", "oneOf", "title", "nullable"} & schema.keys(), path
        assert "type" in schema or schema.get("x-kubernetes-int-or-string"), path


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_list_maps_are_required(kind: type[Resource]) -> None:
    for path, schema in below(kind, "spec", "status"):
        keys = schema.get("x-kubernetes-list-map-keys", [])
        assert set(keys) <= set(schema.get("items", {}).get("required", [])), path


@pytest.mark.parametrize("kind", KINDS)
def test_the_status_is_never_defaulted(kind: type[Resource]) -> None:
    assert [path for path, schema in below(kind, "status") if "default" in schema] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_api_server_and_the_model_fill_in_the_same_defaults(kind: type[Resource]) -> None:
    spec = MINIMAL[kind]
    by_server = defaulted(structural_schema(kind)["properties"]["spec"], spec)
    by_model = kind.parse({"metadata": {"name": "x"}, "spec": spec}).to_api()["spec"]
    assert without_empties(by_model) == without_empties(by_server)


@pytest.mark.parametrize("kind", KINDS)
def test_kubectl_shows_age_last_and_conditions_by_their_type(kind: type[Resource]) -> None:
    columns = definition(kind)["spec"]["versions"][0]["additionalPrinterColumns"]
    assert columns[-1] == {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
    assert 5 <= sum("priority" not in column for column in columns) <= 8


@pytest.mark.parametrize("kind", KINDS)
def test_columns_point_at_fields_that_exist(kind: type[Resource]) -> None:
    schema = structural_schema(kind)
    for column in kind.columns:
        first, *names = column.path.split("[?")[0].removeprefix(".").split(".")
        node = schema["properties"][first]
        for name in names if first != "metadata" else ():
            node = node["properties"][name]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_the_model_reads_whatever_the_schema_accepts(kind: type[Resource], data: st.DataObject) -> None:
    properties = structural_schema(kind)["properties"]
    parts = {part: data.draw(accepted(properties[part])) for part in ("spec", "status")}
    parsed = kind.parse({"metadata": {"name": "x"}, **parts})
    assert kind.parse(parsed.to_api()) == parsed
