"""What a change makes of a Node, and what is written for it."""

from __future__ import annotations

from typing import Any

from avance.kube.taints import NodeChange, patch_for, taints_of, with_taint, without_taint

UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "2026-11-23T08:00:00Z"}
FENCED = {"key": "avance.dev/fenced", "value": "pair", "effect": "NoSchedule"}


def node(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "node-a", "resourceVersion": "7", "labels": {"a": "1"}}, "spec": spec}


def test_a_taint_is_added_beside_the_others() -> None:
    taints = with_taint([UNREACHABLE], FENCED)
    assert taints == [UNREACHABLE, FENCED]
    assert with_taint(taints, FENCED) == taints


def test_a_taint_of_the_same_key_and_effect_is_replaced() -> None:
    other_value = {**FENCED, "value": "other"}
    other_effect = {**FENCED, "effect": "NoExecute"}
    assert with_taint([FENCED, other_effect], other_value) == [other_effect, other_value]


def test_a_taint_is_removed_with_every_effect() -> None:
    assert without_taint([UNREACHABLE, FENCED, {**FENCED, "effect": "NoExecute"}], "avance.dev/fenced") == [UNREACHABLE]


def test_nothing_to_change_is_no_patch() -> None:
    tainted = node(taints=[FENCED], unschedulable=True)
    change = NodeChange(taints=[FENCED], unschedulable=True, labels={"a": "1", "gone": None})
    assert patch_for(tainted, change) is None
    assert patch_for(node(), NodeChange(taints=[], unschedulable=False)) is None
    assert patch_for(tainted, NodeChange()) is None


def test_a_patch_names_the_version_that_it_is_based_on_and_only_what_differs() -> None:
    tainted = node(taints=[UNREACHABLE])
    change = NodeChange(
        taints=with_taint(taints_of(tainted), FENCED),
        unschedulable=True,
        labels={"a": None, "b": "2"},
        annotations={"why": "fenced"},
    )
    assert patch_for(tainted, change) == {
        "metadata": {"resourceVersion": "7", "labels": {"a": None, "b": "2"}, "annotations": {"why": "fenced"}},
        "spec": {"taints": [UNREACHABLE, FENCED], "unschedulable": True},
    }
    assert patch_for(tainted, NodeChange(labels={"a": "2"})) == {
        "metadata": {"resourceVersion": "7", "labels": {"a": "2"}}
    }
