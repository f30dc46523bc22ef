"""Who edits what: noted by the API server, told by the log of actions, with and without an operator that runs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from avance.core.rules.edit import AT_MOST
from e2e.controlplane import Api, ApiError
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import ACTIONS, PAIR, PVMS, Action, Object

pytestmark = pytest.mark.timeout(240)

EDITS = "avance.dev/edits"
VM: Object = {
    "apiVersion": "avance.dev/v1alpha1",
    "kind": "ProtectedVM",
    "metadata": {"name": "till"},
    "spec": {
        "pairRef": {"name": "demo"},
        "cores": 1,
        "memory": "512Mi",
        "running": False,
        "disks": [{"name": "root", "containerImage": "registry.example/linux:1"}],
        "guest": {"cloudInit": {"userData": "#cloud-config\npassword: first-secret"}},
    },
}
PATH = f"{PVMS}/till"


class People:
    """Administrators who are told apart by their certificates."""

    def __init__(self, ann: Api, bob: Api, eve: Api) -> None:
        self.ann, self.bob, self.eve = ann, bob, eve


@pytest_asyncio.fixture(loop_scope="session")
async def people(site: Site) -> AsyncIterator[People]:
    async with AsyncExitStack() as stack:
        plane = site.lab.control_plane
        yield People(
            *[
                await stack.enter_async_context(await plane.client_for(name, ["system:masters"]))
                for name in ("ann", "bob", "eve")
            ]
        )


async def noted(site: Site, path: str = PATH) -> list[str]:
    return str((await site.api.get(path))["metadata"].get("annotations", {}).get(EDITS, "")).splitlines()


async def edit_of(site: Site, target: str, reason: str, words: str = "") -> Action:
    """The finished record of an edit that says this."""

    async def there() -> Action | None:
        for one in await site.actions("Edit", target):
            spec = one.obj["spec"]
            if one.done and spec["reason"] == reason and words in spec["message"]:
                return one
        return None

    found: Action = await site.until(there, f"an Edit of {target}: {reason} {words}")
    return found


def annotated(value: str | None, **spec: Any) -> Object:
    return {"metadata": {"annotations": {EDITS: value}}, **({"spec": spec} if spec else {})}


async def test_the_api_server_notes_who_edits_and_nobody_can_write_it_otherwise(site: Site, people: People) -> None:
    await people.ann.post(PVMS, {**VM, "metadata": {"name": "till", "annotations": {EDITS: "1 bob"}}})
    assert await noted(site) == ["1 ann"]
    await people.bob.patch(PATH, {"spec": {"cores": 2}})
    assert await noted(site) == ["1 ann", "2 bob"]
    for forged in ("3 ann", "2 ann", "", None):
        await people.eve.patch(PATH, annotated(forged))
        assert await noted(site) == ["1 ann", "2 bob"]
    await people.eve.patch(PATH, {"metadata": {"annotations": None}})
    assert await noted(site) == ["1 ann", "2 bob"]
    await people.eve.patch(PATH, annotated("3 ann", cores=3))
    assert await noted(site) == ["1 ann", "2 bob", "3 eve"]
    whole = await people.bob.get(PATH)
    del whole["metadata"]["annotations"]
    whole["spec"]["cores"] = 1
    await people.bob.put(PATH, whole)
    assert await noted(site) == ["1 ann", "2 bob", "3 eve", "4 bob"]
    await people.eve.patch(f"{PATH}/status", annotated("9 ann"))
    await people.eve.patch(PATH, {"metadata": {"labels": {"shelf": "top"}}, "spec": {"cores": 1}})
    assert await noted(site) == ["1 ann", "2 bob", "3 eve", "4 bob"], "nothing of the spec has changed"
    for cores in range(2, 22):
        await people.ann.patch(PATH, {"spec": {"cores": cores}})
    latest = await noted(site)
    assert (len(latest), latest[0], latest[-1]) == (16, "9 ann", "24 ann")
    assert (await site.pvm("till"))["metadata"]["generation"] == 24


async def test_edits_are_on_record_with_the_user_and_without_secrets(site: Site, people: People) -> None:
    await people.ann.post(PVMS, VM)
    created = await edit_of(site, "till", "Created")
    assert created.obj["spec"]["requestedBy"] == "ann"
    secret = {"guest": {"cloudInit": {"userData": "#cloud-config\npassword: second-secret"}}}
    await people.bob.patch(PATH, {"spec": {"cores": 2, "restartPriority": "High", **secret}})
    changed = await edit_of(site, "till", "Changed")
    assert changed.obj["spec"]["requestedBy"] == "bob"
    assert changed.obj["spec"]["message"] == (
        "cores from 1 to 2; guest.cloudInit.userData changed (its value is not shown); "
        "restartPriority from Medium to High"
    )
    assert changed.phase == "Succeeded"
    await people.eve.patch(PAIR, {"spec": {"recovery": {"failback": "Manual"}, "mode": "Observe"}})
    pair = await edit_of(site, "demo", "Changed", "recovery.failback from Automatic to Manual")
    assert pair.obj["spec"]["requestedBy"] == "eve"
    await people.eve.patch(PAIR, {"spec": {"mode": "Automatic", "recovery": {"failback": "Automatic"}}})
    await edit_of(site, "demo", "Changed", "mode from Observe to Automatic")
    await people.bob.delete(PATH)
    deleted = await edit_of(site, "till", "Deleted")
    assert "requestedBy" not in deleted.obj["spec"]
    everything = str((await site.api.get(ACTIONS))["items"]) + str((await site.pair_status())["recorded"])
    assert "-secret" not in everything


async def test_what_is_edited_while_no_operator_runs_is_found_at_its_start(site: Site, people: People) -> None:
    await people.ann.post(PVMS, VM)
    await people.ann.post(PVMS, {**VM, "metadata": {"name": "old"}})
    await edit_of(site, "till", "Created")
    await edit_of(site, "old", "Created")

    async def both_kept() -> bool:
        return {"till", "old"} <= {each["name"] for each in (await site.pair_status())["recorded"]}

    await site.until(both_kept, "both VMs among the specs on record")
    await site.operator("stop")
    await people.ann.patch(PATH, {"spec": {"cores": 4}})
    await people.bob.patch(PATH, {"spec": {"memory": "1Gi"}})
    await people.bob.delete(f"{PVMS}/old")
    await people.eve.post(PVMS, {**VM, "metadata": {"name": "new"}})
    await site.operator("start")
    changed = await edit_of(site, "till", "Changed")
    assert changed.obj["spec"]["requestedBy"] == "bob"
    assert changed.obj["spec"]["message"] == (
        "cores from 1 to 4; memory from 512Mi to 1Gi; 2 edits in all; before that by ann"
    )
    await edit_of(site, "old", "Deleted")
    assert (await edit_of(site, "new", "Created")).obj["spec"]["requestedBy"] == "eve"
    assert len(await site.actions("Edit", "till")) == 2


async def test_a_storm_of_edits_does_not_flood_the_log(site: Site, people: People) -> None:
    """Two programs that undo each other's work; what happens beyond the limit is told later, in one piece."""
    await people.ann.post(PVMS, VM)
    limit = AT_MOST[0][1]
    for turn in range(20):
        who, cores = ((people.ann, 1), (people.bob, 2))[turn % 2]
        await who.patch(PATH, {"spec": {"cores": cores}})
        if turn < limit:
            await edit_of(site, "till", "Changed" if turn > 0 else "Created")

    async def taken_in() -> bool:
        pvm = await site.pvm("till")
        return bool(pvm.get("status", {}).get("observedGeneration") == pvm["metadata"]["generation"])

    await site.until(taken_in, "the last edit taken in")
    assert 1 < len(await site.actions("Edit", "till")) <= limit


async def test_who_asks_is_filled_in_and_an_edit_is_the_operators_word(site: Site, people: People) -> None:
    asked: Object = {
        "apiVersion": "avance.dev/v1alpha1",
        "kind": "AvanceAction",
        "metadata": {"generateName": "ask-"},
        "spec": {"pairRef": {"name": "demo"}, "type": "Rejoin", "target": {"kind": "Node", "name": "node-a"}},
    }
    made = await people.ann.post(ACTIONS, asked, dryRun="All")
    assert made["spec"]["requestedBy"] == "ann"
    with pytest.raises(ApiError, match='write requestedBy: "ann"'):
        await people.ann.post(ACTIONS, {**asked, "spec": {**asked["spec"], "requestedBy": "bob"}}, dryRun="All")
    spec = {**asked["spec"], "type": "Edit", "target": {"kind": "AvancePair", "name": "demo"}, "requestedBy": "bob"}
    for forged in (spec, {**spec, "requestedBy": "ann"}):
        with pytest.raises(ApiError, match="nobody else writes one"):
            await people.ann.post(ACTIONS, {**asked, "spec": forged}, dryRun="All")
    word = {**asked["spec"], "type": "ResetMTBF", "message": "power supply replaced"}
    assert (await people.bob.post(ACTIONS, {**asked, "spec": word}, dryRun="All"))["spec"]["requestedBy"] == "bob"
