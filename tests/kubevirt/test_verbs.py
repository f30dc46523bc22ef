"""What KubeVirt is told, and when it is left alone. (That it then does it is tested on the lab.)"""

from typing import Any

import pytest

from avance.kube.errors import ApiError, Conflict, Forbidden
from avance.kubevirt import verbs
from tests.kubevirt.recorder import recording

VMI = "/apis/kubevirt.io/v1/namespaces/shop/virtualmachineinstances/web"
VERB = "/apis/subresources.kubevirt.io/v1/namespaces/shop/virtualmachines/web"
MIGRATIONS = "/apis/kubevirt.io/v1/namespaces/shop/virtualmachineinstancemigrations"
LIVE = {f"GET {VMI}": (200, {"metadata": {"uid": "uid-1"}})}


def refusal(status: int, message: str, reason: str = "") -> tuple[int, dict[str, Any]]:
    return status, {"kind": "Status", "reason": reason, "message": message}


@pytest.mark.parametrize(
    ("answers", "about", "spoken"),
    [
        ({}, "", ["start"]),
        (LIVE, "uid-1", ["restart"]),
        (LIVE, "", []),
        (LIVE, "uid-0", []),
        ({}, "uid-1", []),
    ],
    ids=["no instance", "this instance", "one came meanwhile", "a later one", "it is gone"],
)
async def test_a_start_is_spoken_only_to_the_instance_that_was_decided_on(
    answers: dict[str, Any], about: str, spoken: list[str]
) -> None:
    accepted: dict[str, Any] = {f"PUT {VERB}/{verb}": (202, {}) for verb in ("start", "restart")}
    async with recording(answers | accepted) as (recorder, kube):
        await verbs.start(kube, "shop", "web", about)
    assert [what for what, _ in recorder.sent if what.startswith("PUT")] == [f"PUT {VERB}/{verb}" for verb in spoken]


@pytest.mark.parametrize(("about", "spoken"), [("uid-1", True), ("uid-0", False)])
async def test_a_stop_is_spoken_only_to_the_instance_that_was_decided_on(about: str, spoken: bool) -> None:
    async with recording(LIVE | {f"PUT {VERB}/stop": (202, {})}) as (recorder, kube):
        await verbs.stop(kube, "shop", "web", about)
    assert any(what == f"PUT {VERB}/stop" for what, _ in recorder.sent) is spoken


@pytest.mark.parametrize(
    "answer", [refusal(409, "VM is already running", "Conflict"), refusal(500, "restart is already underway")]
)
async def test_kubevirt_at_it_already_is_no_failure(answer: tuple[int, dict[str, Any]]) -> None:
    async with recording(LIVE | {f"PUT {VERB}/restart": answer}) as (recorder, kube):
        await verbs.start(kube, "shop", "web", "uid-1")
    assert recorder.sent[-1][0] == f"PUT {VERB}/restart"


@pytest.mark.parametrize(
    ("answer", "error"),
    [(refusal(403, "not allowed"), Forbidden), (refusal(500, "no connection to the database"), ApiError)],
)
async def test_any_other_refusal_is_told(answer: tuple[int, dict[str, Any]], error: type[ApiError]) -> None:
    async with recording(LIVE | {f"PUT {VERB}/restart": answer}) as (_, kube):
        with pytest.raises(error):
            await verbs.start(kube, "shop", "web", "uid-1")


async def test_a_migration_goes_to_one_node_and_gives_up_in_time() -> None:
    async with recording({f"POST {MIGRATIONS}": (201, {})}) as (recorder, kube):
        await verbs.migrate(kube, "shop", "web", "migrate-web-1", "host-b", 30.0)
    [(_, body)] = recorder.sent
    assert body["spec"] == {"vmiName": "web", "addedNodeSelector": {"kubernetes.io/hostname": "host-b"}}
    assert body["metadata"]["name"] == "migrate-web-1"
    assert body["metadata"]["annotations"] == {
        "kubevirt.io/migrationUnschedulablePodTimeoutSeconds": "30",
        "kubevirt.io/migrationPendingPodTimeoutSeconds": "120",
    }


async def test_the_same_migration_twice_is_one() -> None:
    answer = refusal(409, "already exists", "AlreadyExists")
    async with recording({f"POST {MIGRATIONS}": answer}) as (recorder, kube):
        await verbs.migrate(kube, "shop", "web", "migrate-web-1", "host-b", 30.0)
    assert len(recorder.sent) == 1


async def test_a_migration_that_kubevirt_refuses_is_told() -> None:
    async with recording({f"POST {MIGRATIONS}": refusal(409, "in-flight migration detected", "Conflict")}) as (_, kube):
        with pytest.raises(Conflict, match="in-flight"):
            await verbs.migrate(kube, "shop", "web", "migrate-web-2", "host-b", 30.0)


async def test_to_withdraw_what_is_gone_is_no_failure() -> None:
    async with recording({}) as (recorder, kube):
        await verbs.withdraw_migration(kube, "shop", "migrate-web-1")
    assert recorder.sent[0][0] == f"DELETE {MIGRATIONS}/migrate-web-1"
