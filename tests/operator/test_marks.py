"""How a node is closed, given up and opened again: what others wrote stays."""

from typing import Any

import pytest

from avance.kube.taints import NodeChange, patch_for
from avance.operator import marks
from tests.operator.objects import node

Object = dict[str, Any]
OTHERS = {"key": "example.com/gpu", "effect": "NoSchedule", "value": "yes"}
CLOSED = {"key": "avance.dev/closed", "effect": "NoSchedule"}
OUT = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}


def after(obj: Object, change: NodeChange) -> Object:
    """The node with the merge patch applied, as the API server does it."""
    patch = patch_for(obj, change) or {"metadata": {}}
    result = {**obj, "metadata": {**obj["metadata"]}, "spec": {**obj["spec"], **patch.get("spec", {})}}
    for field in ("labels", "annotations"):
        merged = {**(obj["metadata"].get(field) or {}), **(patch["metadata"].get(field) or {})}
        result["metadata"][field] = {key: value for key, value in merged.items() if value is not None}
    return result


def keys(obj: Object) -> set[str]:
    return {taint["key"] for taint in obj["spec"].get("taints", ())}


def closed(obj: Object) -> Object:
    return after(obj, marks.closed(obj))


def opened(obj: Object) -> Object:
    return after(obj, marks.opened(obj))


def test_a_closed_node_takes_nothing_new() -> None:
    found = closed(node(taints=[OTHERS]))
    assert found["spec"]["unschedulable"] is True
    assert found["spec"]["taints"] == [OTHERS, CLOSED]
    assert found["metadata"]["labels"]["kubevirt.io/schedulable"] == "false"
    assert marks.is_closed(found)


def test_to_close_it_again_changes_nothing() -> None:
    found = closed(node())
    assert patch_for(found, marks.closed(found)) is None


@pytest.mark.parametrize("by_a_person", [True, False])
def test_an_opened_node_is_cordoned_only_if_a_person_had_cordoned_it(by_a_person: bool) -> None:
    found = opened(closed(closed(node(taints=[OTHERS], unschedulable=by_a_person))))
    assert bool(found["spec"]["unschedulable"]) is by_a_person
    assert found["spec"]["taints"] == [OTHERS]
    assert not marks.is_closed(found)


def test_a_node_that_was_never_closed_is_left_as_it_is() -> None:
    cordoned = node(taints=[OTHERS], unschedulable=True)
    assert patch_for(cordoned, marks.opened(cordoned)) is None


def test_out_of_service_is_added_to_what_is_there() -> None:
    found = closed(node(taints=[OTHERS]))
    assert after(found, marks.out_of_service(found))["spec"]["taints"] == [OTHERS, CLOSED, OUT]


def test_back_in_service_it_stays_closed_but_its_daemons_may_run() -> None:
    """A DaemonSet tolerates the cordon, and no NoSchedule taint of ours."""
    given_up = closed(node(taints=[OTHERS]))
    given_up = after(given_up, marks.out_of_service(given_up))
    found = after(given_up, marks.in_service(given_up))
    assert keys(found) == {OTHERS["key"]}
    assert found["spec"]["unschedulable"] is True
    assert marks.is_closed(found)


def test_the_whole_way_round_leaves_the_node_as_it_was() -> None:
    before = node(taints=[OTHERS])
    found = closed(before)
    for step in (marks.out_of_service, marks.in_service, marks.opened):
        found = after(found, step(found))
    assert found["spec"]["taints"] == [OTHERS]
    assert not found["spec"]["unschedulable"]
