"""Replicated disks on the lab: the operator asks a LINSTOR by HTTP, and Longhorn's objects on the API server."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from e2e.controlplane import ApiError
from e2e.hardware import PAIR_NODES
from e2e.storage.linstor import Controller, Mode
from e2e.storage.longhorn import definitions, engine, replica
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY, Object

pytestmark = pytest.mark.timeout(180)

CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
LONGHORN = "/apis/longhorn.io/v1beta2/namespaces/longhorn-system"
WEB = "pvc-web"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture
def linstor() -> Iterator[Controller]:
    with Controller(PAIR_NODES) as controller:
        controller.add(WEB)
        yield controller


@asynccontextmanager
async def disk(site: Site) -> AsyncIterator[list[Object]]:
    """A claim that is bound to a volume of replicated storage; the disks of a VM that has it."""
    size = {"storage": "1Gi"}
    shared: Object = {"accessModes": ["ReadWriteMany"], "volumeMode": "Block", "storageClassName": "replicated"}
    volume = {**shared, "capacity": size, "csi": {"driver": "storage.example", "volumeHandle": WEB}}
    claim = {**shared, "resources": {"requests": size}, "volumeName": "pv-web"}
    await site.api.post(
        VOLUMES, {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv-web"}, "spec": volume}
    )
    await site.api.post(
        CLAIMS, {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "web-root"}, "spec": claim}
    )
    try:
        yield [{"name": "root", "claim": {"name": "web-root"}}]
    finally:
        for path in (f"{CLAIMS}/web-root", f"{VOLUMES}/pv-web"):
            await site.api.patch(path, {"metadata": {"finalizers": None}})
            await site.api.delete(path)


async def disks_are(site: Site, **wanted: str) -> None:
    """Awaits the state of the copy on each node as the VM's status has it, and what it wrote last."""

    async def there() -> bool:
        status: dict[str, Any] = (await site.pvm("web")).get("status") or {}
        found = {copy["node"]: copy["state"] for copy in status.get("disks") or ()}
        return found == {PAIR_NODES[0]: wanted["a"], PAIR_NODES[1]: wanted["b"]}

    await site.until(there, f"disks {wanted}")


async def last_written(site: Site, *nodes: str) -> None:
    async def there() -> bool:
        status = (await site.pvm("web")).get("status") or {}
        return (status.get("lastWritten") or {}).get("nodes") == list(nodes)

    await site.until(there, f"written last on {nodes}")


async def test_no_move_before_the_copy_is_up_to_date_and_a_crash_is_survived_from_it(
    site: Site, linstor: Controller
) -> None:
    """Resynchronising is not redundant, is shown with its percent, and nothing moves there until it has ended."""
    async with disk(site) as disks:
        await site.apply_pair(storage={"provider": "Linstor", "linstor": {"url": linstor.url}})
        await site.running_vms("web", disks=disks)
        linstor.use(WEB, PRIMARY)
        await last_written(site, *PAIR_NODES)
        linstor.cut(WEB, outdated=BACKUP)
        await last_written(site, PRIMARY)
        linstor.resync(WEB, BACKUP, 34.5)
        await site.pair_is("Redundant", "False", "34 %")
        await site.hardware.fail_component(PRIMARY, "PowerSupply", "psu1")
        await site.node_is(PRIMARY, score=92)
        await disks_are(site, a="UpToDate", b="Inconsistent")
        assert await site.actions("Migrate") == []
        linstor.resync(WEB, BACKUP, 100)
        await site.vms_run_on(BACKUP, "web")
        await last_written(site, *PAIR_NODES)
        linstor.use(WEB, BACKUP)

        linstor.mode = Mode.ERROR
        await site.pair_is("Redundant", "False", "answers 500")
        linstor.mode = Mode.NORMAL
        await site.pair_is("Redundant")
        linstor.end(WEB, PRIMARY).link, linstor.end(WEB, PRIMARY).may_promote = "Connecting", True
        linstor.offline.add(BACKUP)
        await site.hardware.power_cut(BACKUP)
        await site.action("ColdRestart", "web", within=60)
        await site.vms_run_on(PRIMARY, "web")
        linstor.use(WEB, PRIMARY)
        await last_written(site, PRIMARY)
        linstor.offline.clear()
        linstor.resync(WEB, BACKUP, 100)
        await site.action("Rejoin", BACKUP, within=60)
        await site.remove_vm("web")


async def test_longhorn_is_read_with_the_rights_of_the_chart(site: Site) -> None:
    """A copy that is rebuilt, one that failed, and what the engine says of both."""
    for definition in definitions():
        await site.api.patch(
            f"{CRDS}/{definition['metadata']['name']}",
            definition,
            "application/apply-patch+yaml",
            fieldManager="longhorn",
            force="true",
        )
    await site.api.patch(
        "/api/v1/namespaces/longhorn-system",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "longhorn-system"}},
        "application/apply-patch+yaml",
        fieldManager="longhorn",
    )
    await site.until(lambda: _served(site), "Longhorn's definitions are served")
    async with disk(site) as disks:
        for node in PAIR_NODES:
            await site.api.post(f"{LONGHORN}/replicas", replica(WEB, node))
        await site.api.post(f"{LONGHORN}/engines", engine(WEB, PRIMARY, dict.fromkeys(PAIR_NODES, "RW")))
        try:
            await site.apply_pair(storage={"provider": "Longhorn"})
            await site.running_vms("web", disks=disks)
            await last_written(site, *PAIR_NODES)
            rebuilding = engine(WEB, PRIMARY, {PRIMARY: "RW", BACKUP: "WO"}, rebuilt={BACKUP: 41})
            await site.api.patch(f"{LONGHORN}/engines/{WEB}-e", {"status": rebuilding["status"]})
            await site.pair_is("Redundant", "False", "41 %")
            await last_written(site, PRIMARY)
            await site.remove_vm("web")
        finally:
            await site.api.delete(f"{LONGHORN}/engines/{WEB}-e")
            for node in PAIR_NODES:
                await site.api.delete(f"{LONGHORN}/replicas/{WEB}-r-{node}")


async def _served(site: Site) -> bool:
    try:
        await site.api.get(f"{LONGHORN}/replicas")
        await site.api.get(f"{LONGHORN}/engines")
    except ApiError:
        return False
    return True
