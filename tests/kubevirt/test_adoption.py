"""What adopting changes in a VirtualMachine, and that letting go undoes it whatever happened in between."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avance.kubevirt.adoptable import why_not_adoptable, why_not_ours
from avance.kubevirt.adoption import (
    RECORD_ANNOTATION,
    adopted,
    in_order,
    record_of,
    released,
    starts_by_itself,
    why_contested,
)

Object = dict[str, Any]

NOW = 1_000_000.0
HOSTS = {"node-a": "a.example", "node-b": "b.example"}
LABELS: dict[str, dict[str, str]] = {
    node: {"kubernetes.io/hostname": host, "zone": "one"} for node, host in HOSTS.items()
}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
ZONE = {"key": "zone", "operator": "In", "values": ["one"]}
PAIR_TERM = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["a.example", "b.example"]}


def machine(template: Object | None = None, **spec: Any) -> Object:
    metadata = {"name": "legacy", "namespace": "shop", "uid": "uid-legacy", "resourceVersion": "7"}
    power = {} if {"running", "runStrategy"} & spec.keys() else {"runStrategy": "Always"}
    return {"metadata": metadata, "spec": {**power, **spec, "template": {"spec": template or {"domain": {}}}}}


def take(obj: Object, prefer: str = "node-a", now: float = NOW) -> Object:
    return adopted(obj, "site", HOSTS, prefer, now)


AFFINITIES = st.sampled_from(
    [
        {},
        {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [ZONE]}]}}},
        {"nodeAffinity": {PREFERRED: [{"weight": 3, "preference": {"matchExpressions": [ZONE]}}]}},
        {"podAntiAffinity": {PREFERRED: [{"weight": 1, "podAffinityTerm": {"topologyKey": "zone"}}]}},
    ]
)
TOLERATIONS = st.lists(st.sampled_from([{"key": "a", "operator": "Exists"}, {"operator": "Exists"}]), max_size=2)
POWER = st.sampled_from(
    [{"running": True}, {"running": False}, *({"runStrategy": each} for each in ("Always", "Halted", "Manual", "Once"))]
)
EVICTIONS = st.sampled_from([None, "None", "LiveMigrate", "External"])
METADATA = st.sampled_from([None, {}, {"labels": {}}, {"labels": {"app": "x"}}, {"annotations": {"a": "b"}}])


@st.composite
def machines(draw: st.DrawFn) -> Object:
    template: Object = {"domain": {}}
    affinity, eviction, tolerations = draw(AFFINITIES), draw(EVICTIONS), draw(TOLERATIONS)
    if affinity:
        template["affinity"] = affinity
    if eviction:
        template["evictionStrategy"] = eviction
    if tolerations:
        template["tolerations"] = tolerations
    made = machine(template, **draw(POWER))
    metadata = draw(METADATA)
    if metadata is not None:
        made["spec"]["template"]["metadata"] = metadata
    for field in ("labels", "annotations"):
        if draw(st.booleans()):
            made["metadata"][field] = {"app": "x"}
    return made


@given(machines(), st.lists(st.sampled_from(["node-a", "node-b"]), min_size=1, max_size=3), st.booleans())
def test_letting_go_leaves_what_was_there(made: Object, preferred: list[str], known: bool) -> None:
    before = copy.deepcopy(made)
    taken = made
    for prefer in preferred:
        taken = take(taken, prefer)
        assert in_order(taken, "site", HOSTS, prefer)
        assert not why_contested(taken, "site", HOSTS, prefer)
    on = bool(before["spec"].get("running")) or before["spec"].get("runStrategy") in ("Always", "Once")
    # As it runs, or not known to be as it shall: either way its switch stays where it was.
    back = released(taken, (on if before["spec"].get("runStrategy") != "Manual" else None) if known else None)
    for around in ("metadata", "spec"):
        assert {**back[around]} == {**before[around]} or _but_for_empty_maps(back, before)


def _but_for_empty_maps(back: Object, before: Object) -> bool:
    """The API server drops empty labels and annotations of an object's own metadata."""

    def stored(obj: Object) -> Object:
        metadata = {key: value for key, value in obj["metadata"].items() if value != {}}
        return {"metadata": metadata, "spec": obj["spec"]}

    return stored(back) == stored(before)


def test_protection_rests_on_a_few_fields() -> None:
    own = {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [ZONE]}]}}}}
    taken = take(machine({"domain": {}, "tolerations": [{"key": "a", "operator": "Exists"}], **own}, running=True))
    spec = taken["spec"]["template"]["spec"]
    assert taken["spec"]["runStrategy"] == "Manual"
    assert "running" not in taken["spec"]
    assert spec["evictionStrategy"] == "External"
    assert spec["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"] == [{"matchExpressions": [PAIR_TERM, ZONE]}]
    # The first toleration that fits counts: ours have no time limit.
    assert [each["key"] for each in spec["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
        "a",
    ]
    assert "ownerReferences" not in taken["metadata"]
    assert taken["metadata"]["labels"] == {"avance.dev/pair": "site"}
    record = record_of(taken)
    assert record is not None
    assert json.loads(taken["metadata"]["annotations"][RECORD_ANNOTATION])["takenBack"] == []


@pytest.mark.parametrize(
    ("spec", "runs", "after"),
    [
        ({"running": False}, True, {"running": True}),
        ({"runStrategy": "Halted"}, True, {"runStrategy": "Always"}),
        ({"running": True}, False, {"running": False}),
        ({"runStrategy": "Always"}, False, {"runStrategy": "Halted"}),
        ({"runStrategy": "RerunOnFailure"}, False, {"runStrategy": "Halted"}),
        ({"runStrategy": "Manual"}, True, {"runStrategy": "Manual"}),
        ({"runStrategy": "Always"}, None, {"runStrategy": "Always"}),
    ],
)
def test_letting_go_starts_and_stops_nothing(spec: Object, runs: bool | None, after: Object) -> None:
    back = released(take(machine(**spec)), runs)
    assert {key: back["spec"].get(key) for key in after} == after
    assert len({"running", "runStrategy"} & back["spec"].keys()) == 1


def test_what_its_owner_changes_meanwhile_stays() -> None:
    taken = take(machine(running=True))
    taken["spec"]["runStrategy"] = "Halted"
    spec = taken["spec"]["template"]["spec"]
    spec["tolerations"] = [*spec["tolerations"], {"key": "new", "operator": "Exists"}]
    spec["affinity"] = copy.deepcopy(spec["affinity"])
    spec["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"][0]["matchExpressions"].append(ZONE)
    spec["domain"] = {"cpu": {"cores": 4}}
    back = released(taken, None)
    assert back["spec"]["runStrategy"] == "Halted"
    assert "running" not in back["spec"], "KubeVirt refuses both spellings at once"
    assert back["spec"]["template"]["spec"] == {
        "domain": {"cpu": {"cores": 4}},
        "tolerations": [{"key": "new", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [ZONE]}]}}},
    }


def test_who_has_taken_what_back_is_named_and_remembered_for_an_hour() -> None:
    taken = take(machine())
    taken["spec"]["runStrategy"] = "Always"
    taken["metadata"]["managedFields"] = [
        {"manager": "avance", "time": "2026-05-01T10:00:00Z", "fieldsV1": {"f:spec": {"f:template": {}}}},
        {"manager": "old", "time": "2026-05-01T09:00:00Z", "fieldsV1": {"f:spec": {"f:runStrategy": {}}}},
        {"manager": "gitops", "time": "2026-05-01T10:01:00Z", "fieldsV1": {"f:spec": {"f:runStrategy": {}}}},
    ]
    assert why_contested(taken, "site", HOSTS, "node-a") == 'gitops has set spec.runStrategy to "Always"'
    again = take(taken, now=NOW + 5)
    assert again["spec"]["runStrategy"] == "Manual"
    record = record_of(again)
    assert record is not None
    assert record.taken_back == (NOW + 5,)
    again["spec"]["runStrategy"] = "Always"
    del again["metadata"]["managedFields"]
    assert why_contested(again, "site", HOSTS, "node-a").startswith("gitops has set"), "remembered, where nobody tells"
    later = record_of(take(again, now=NOW + 4000))
    assert later is not None
    assert later.taken_back == (NOW + 4000,)


def test_a_renamed_node_is_nobodys_doing() -> None:
    taken = take(machine())
    hosts = {"node-a": "a.example", "node-c": "c.example"}
    assert not in_order(taken, "site", hosts, "node-a")
    assert why_contested(taken, "site", hosts, "node-a") == ""


def test_a_record_that_nobody_can_read_is_none() -> None:
    taken = take(machine())
    taken["metadata"]["annotations"][RECORD_ANNOTATION] = "{"
    assert record_of(taken) is None


@pytest.mark.parametrize(("strategy", "starts"), [("Always", True), ("Halted", False), ("Manual", False)])
def test_what_kubevirt_starts_by_itself_is_known_before_it_is_let_go(strategy: str, starts: bool) -> None:
    assert starts_by_itself(take(machine(runStrategy=strategy))) is starts


def required(**expression: Any) -> Object:
    terms = [{"matchExpressions": [expression]}]
    return {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}}


REFUSED = {
    "selector": ({"nodeSelector": {"kubernetes.io/hostname": "a.example"}}, "KeptOffANode", "node-b does not have"),
    "affinity": (required(key="zone", operator="NotIn", values=["one"]), "KeptOffANode", "leaves node-a out"),
    "number": (required(key="zone", operator="Gt", values=["1"]), "KeptOffANode", "leaves node-a out"),
    "together": ({"affinity": {"podAntiAffinity": {REQUIRED: [{}]}}}, "TiedToOtherPods", "podAntiAffinity"),
    "spread": ({"topologySpreadConstraints": [{"whenUnsatisfiable": "DoNotSchedule"}]}, "TiedToOtherPods", "spread"),
    "gpu": ({"domain": {"devices": {"gpus": [{"name": "card"}]}}}, "HostDevices", "gpus: card"),
    "file": ({"volumes": [{"name": "root", "hostDisk": {}}]}, "HostDevices", "hostDisk"),
    "processors": ({"domain": {"cpu": {"dedicatedCpuPlacement": True}}}, "DedicatedProcessors", "node-a"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_protected_is_refused(case: str) -> None:
    template, reason, words = REFUSED[case]
    found = why_not_adoptable("legacy", machine(template), None, LABELS)
    assert found[0] == reason
    assert words in found[1]


ALLOWED = (
    {},
    {"nodeSelector": {"zone": "one"}},
    required(**ZONE),
    required(key="zone", operator="Exists"),
    required(key="other", operator="DoesNotExist"),
    {"topologySpreadConstraints": [{"whenUnsatisfiable": "ScheduleAnyway"}]},
)


@pytest.mark.parametrize("template", ALLOWED)
def test_what_either_server_may_run_is_adoptable(template: Object) -> None:
    assert why_not_adoptable("legacy", machine(template), None, LABELS) == ("", "")


def instance(on: str = "node-a", migratable: str = "True", **status: Any) -> Object:
    conditions = [{"type": "LiveMigratable", "status": migratable, "message": "PVC root is not shared"}]
    return {"status": {"phase": "Running", "nodeName": on, "conditions": conditions, **status}}


@pytest.mark.parametrize(
    ("vmi", "reason"),
    [
        (instance(), ""),
        (instance(migratable="False"), "NotMigratable"),
        (instance(migratable="False", phase="Failed"), ""),
        (instance(on="node-z"), "RunsElsewhere"),
        (instance(migrationState={"startTimestamp": "x"}), "Moving"),
        (instance(migrationState={"startTimestamp": "x", "endTimestamp": "y"}), ""),
    ],
)
def test_a_vm_that_runs_has_to_be_movable_and_at_home(vmi: Object, reason: str) -> None:
    assert why_not_adoptable("legacy", machine(), vmi, LABELS)[0] == reason


def test_whose_it_is() -> None:
    assert why_not_adoptable("legacy", None, None, LABELS)[0] == "NoVirtualMachine"
    going = machine()
    going["metadata"]["deletionTimestamp"] = "2026-05-01T10:00:00Z"
    assert why_not_adoptable("legacy", going, None, LABELS)[0] == "BeingDeleted"
    owned = machine()
    owned["metadata"]["ownerReferences"] = [{"kind": "VirtualMachinePool", "name": "pool", "controller": True}]
    assert "VirtualMachinePool pool" in why_not_adoptable("legacy", owned, None, LABELS)[1]
    assert why_not_adoptable("legacy", machine(running=True, runStrategy="Always"), None, LABELS)[0] == (
        "RunStrategyUnclear"
    )
    assert why_not_adoptable("legacy", machine(runStrategy="WaitAsReceiver"), None, LABELS)[0] == "BeingReceived"
    assert why_not_ours(None) == ("", "")
    assert why_not_ours(machine())[0] == "NameTaken"
    ours = machine()
    ours["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "avance"}
    assert why_not_ours(ours) == ("", "")
