"""A real API server and our three kinds: wrong input is refused with advice, right input gets its defaults.

The cases are data: test_api_refusals.yaml, beside this file.
"""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from avance.api import GROUP, KINDS, VERSION
from avance.api.base import Resource
from avance.api.meta import format_time, parse_quantity, parse_time
from e2e.controlplane import Api, ApiError, ControlPlane, ensure_binaries, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

CRDS = Path(__file__).parents[2] / "crds"
CASES = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
KIND = {kind.names.kind: kind for kind in KINDS}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """An API server that knows the three kinds."""
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"), await ensure_binaries())
    await plane.start()
    try:
        for path in sorted(CRDS.glob("*.yaml")):
            await plane.api.post(DEFINITIONS, yaml.safe_load(path.read_text(encoding="utf-8")))
        for kind in KINDS:
            await wait_until(partial(is_served, plane.api, kind), 30, kind.names.plural)
        yield plane.api
    finally:
        await plane.stop()


async def is_served(api: Api, kind: type[Resource]) -> bool:
    try:
        await api.get(collection(kind))
    except ApiError:
        return False
    return True


def collection(kind: type[Resource]) -> str:
    namespace = "" if kind.names.scope == "Cluster" else "/namespaces/default"
    return f"/apis/{GROUP}/{VERSION}{namespace}/{kind.names.plural}"


def cases(section: str) -> list[Any]:
    """The cases of a section of the file, each under its own words."""
    return [
        pytest.param(KIND[kind], case, id=f"{kind}: {case['case']}")
        for kind, listed in CASES[section].items()
        for case in listed
    ]


def merged(value: Any, change: Any) -> Any:
    """Put a change in place: objects are merged, null takes a field out, everything else replaces."""
    if not isinstance(value, dict) or not isinstance(change, dict):
        return change
    result = value | {key: merged(value.get(key, {}), item) for key, item in change.items()}
    return {key: item for key, item in result.items() if item is not None}


def right(kind: type[Resource], change: dict[str, Any] | None = None) -> dict[str, Any]:
    name = kind.names.kind
    manifest = {"apiVersion": f"{GROUP}/{VERSION}", "kind": name, **CASES["right"][name]}
    changed: dict[str, Any] = merged(manifest, change or {})
    return changed


def assert_advice(error: ApiError, case: dict[str, Any]) -> None:
    assert error.status == 422, error
    assert f"{case['at']}:" in error.message
    assert case["says"] in error.message


@pytest.mark.parametrize(("kind", "case"), cases("refused"))
async def test_wrong_input_is_refused_with_advice(api: Api, kind: type[Resource], case: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refusal:
        await api.post(collection(kind), right(kind, case["with"]), dryRun="All")
    assert_advice(refusal.value, case)


@pytest.mark.parametrize(("kind", "case"), cases("accepted"))
async def test_right_input_gets_its_defaults(api: Api, kind: type[Resource], case: dict[str, Any]) -> None:
    stored = await api.post(collection(kind), right(kind, case["with"]), dryRun="All")
    for group, fields in case["becomes"]["spec"].items():
        found = stored["spec"][group]
        if isinstance(fields, dict):  # a setting that was added since breaks nothing
            found = {name: found.get(name) for name in fields}
        assert found == fields, f"spec.{group}"
    kind.parse(stored)


@pytest.mark.parametrize(("kind", "case"), cases("changes"))
async def test_changes_are_judged_by_what_was_there(api: Api, kind: type[Resource], case: dict[str, Any]) -> None:
    created = await api.post(collection(kind), right(kind, case["with"]))
    path = f"{collection(kind)}/{created['metadata']['name']}"
    try:
        if "says" in case:
            with pytest.raises(ApiError) as refusal:
                await api.patch(path, case["changed"], dryRun="All")
            assert_advice(refusal.value, case)
        else:
            changed = await api.patch(path, case["changed"], dryRun="All")
            assert merged(changed, case["changed"]) != created
    finally:
        await api.delete(path)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_operator_can_write_a_status_and_a_user_cannot_by_the_way(api: Api, kind: type[Resource]) -> None:
    created = await api.post(collection(kind), right(kind, {"status": {"phase": "Running"}}))
    path = f"{collection(kind)}/{created['metadata']['name']}"
    try:
        assert "status" not in created
        written = await api.patch(f"{path}/status", {"status": STATUS[kind.names.kind]})
        assert written["status"] == STATUS[kind.names.kind], "nothing is pruned and nothing is added"
        assert kind.parse(written).to_api()["status"].items() >= STATUS[kind.names.kind].items()
    finally:
        await api.delete(path)


async def test_a_finished_action_stays_as_it_ended(api: Api) -> None:
    kind = KIND["AvanceAction"]
    created = await api.post(collection(kind), right(kind))
    path = f"{collection(kind)}/{created['metadata']['name']}"
    try:
        for phase in ("Running", "Failed"):
            await api.patch(f"{path}/status", {"status": {"phase": phase}})
        await api.patch(f"{path}/status", {"status": {"result": "gave up after 3 tries"}})
        for other in ("Running", "Succeeded", None):
            with pytest.raises(ApiError, match="a finished action stays as it ended"):
                await api.patch(f"{path}/status", {"status": {"phase": other}})
    finally:
        await api.delete(path)


@pytest.mark.parametrize("text", ["0", "5.", ".5", "1e3", "1E", "1E3", "1n", "3u", "7Ei", "1k", "12P"])
async def test_our_quantities_are_those_of_the_api_server(api: Api, text: str) -> None:
    kind = KIND["AvancePair"]
    parse_quantity(text)
    await api.post(collection(kind), right(kind, {"spec": {"limits": {"reservedMemory": text}}}), dryRun="All")


@pytest.mark.parametrize(
    "text", ["", "1K", "1ki", "1GB", "1 Gi", "1e", "Gi", "+1Gi", "-1", "1e999", "1e3Mi", "0x10", "--1", "1_000", "NaN"]
)
async def test_what_we_do_not_read_the_api_server_refuses(api: Api, text: str) -> None:
    kind = KIND["AvancePair"]
    with pytest.raises(ValueError, match="is no quantity"):
        parse_quantity(text)
    with pytest.raises(ApiError, match="write a number and a unit"):
        await api.post(collection(kind), right(kind, {"spec": {"limits": {"reservedMemory": text}}}), dryRun="All")


_NOW = format_time(parse_time("2026-11-23T08:05:01.000007Z"))
_READY = {"type": "Ready", "status": "True", "reason": "AllIsWell", "message": "fine", "lastTransitionTime": _NOW}
_EVIDENCE = {
    "kind": "PowerOffConfirmed",
    "node": "node-a",
    "source": "https://10.0.0.1",
    "bootID": "8e0b",
    "observedAt": _NOW,
    "message": "Off at two readings, 1 s apart",
}
STATUS: dict[str, dict[str, Any]] = {
    "AvancePair": {
        "observedGeneration": 1,
        "conditions": [_READY],
        "primary": "node-b",
        "scores": "node-a=92 node-b=100",
        "vmCount": "1/8",
        "nodes": [
            {
                "name": "node-a",
                "state": "Degraded",
                "score": 92,
                "explanation": "92 = 100 - 8 (power supply PSU2 of node-a failed)",
                "components": [],
                "faults": [
                    {
                        "kind": "PowerSupply",
                        "component": "PSU2",
                        "severity": "Benign",
                        "condition": "PowerSupplyProblem",
                        "since": _NOW,
                        "message": "component=PSU2 state=failed",
                    }
                ],
                "fence": {
                    "path": {"state": "Healthy", "checkedAt": _NOW, "message": "answers"},
                    "evidence": _EVIDENCE,
                },
            }
        ],
        "vms": [{"namespace": "default", "name": "web", "primary": "node-b", "protected": True}],
        "incident": {"id": "site-7", "since": _NOW, "message": "power supply PSU2 of node-a failed"},
    },
    "ProtectedVM": {
        "observedGeneration": 1,
        "phase": "Running",
        "conditions": [_READY],
        "primary": "node-b",
        "backup": "node-a",
        "lastFailover": {"time": _NOW, "kind": "Graceful", "from": "node-a", "to": "node-b", "seconds": 9},
        "downtime": {"year": 2026, "plannedSeconds": 0, "unplannedSeconds": 12},
    },
    "AvanceAction": {
        "phase": "Running",
        "startedAt": _NOW,
        "step": "PowerOff",
        "steps": [{"name": "PowerOff", "startedAt": _NOW, "attempts": 1, "message": "asked"}],
        "evidence": _EVIDENCE,
        "report": {"part": "PSU-800"},
        "result": "",
        "operator": "avance-0",
        "epoch": 3,
    },
}
