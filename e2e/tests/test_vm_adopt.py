"""Adopting a VirtualMachine that runs, failing over with it, and letting it go as it was, on a real control plane."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from e2e.controlplane import ApiError
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session, refused  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY, PVMS, VMIS, VMS, Object

pytestmark = pytest.mark.timeout(240)

OWNERS: Object = {
    "running": True,
    "template": {
        "spec": {
            "evictionStrategy": "LiveMigrate",
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
            "affinity": {
                "nodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 1,
                            "preference": {
                                "matchExpressions": [
                                    {"key": "kubernetes.io/hostname", "operator": "In", "values": [PRIMARY]}
                                ]
                            },
                        }
                    ]
                }
            },
            "domain": {
                "cpu": {"cores": 1},
                "memory": {"guest": "512Mi"},
                "devices": {
                    "disks": [{"name": "root", "disk": {"bus": "virtio"}}],
                    "interfaces": [{"name": "default", "masquerade": {}}],
                },
            },
            "networks": [{"name": "default", "pod": {}}],
            "volumes": [{"name": "root", "containerDisk": {"image": "registry.example/linux:1"}}],
        }
    },
}


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def nothing_is_left(site: Site) -> AsyncIterator[None]:
    """VirtualMachines that belong to no ProtectedVM are nobody's but this file's to remove."""
    yield
    for path in (PVMS, VMS):
        for obj in (await site.api.get(path))["items"]:
            await refused(site.api.delete(f"{path}/{obj['metadata']['name']}"))

    async def gone() -> bool:
        return not any([(await site.api.get(path))["items"] for path in (PVMS, VMS, VMIS)])

    await site.until(gone, "every VirtualMachine removed", 60)


async def make_machine(site: Site, name: str, **spec: Any) -> None:
    """As its owner does who knows nothing of avance."""
    metadata = {"name": name, "labels": {"app": name}, "annotations": {"owner": "shop"}}
    wanted = {field: value for field, value in (OWNERS | spec).items() if value is not None}
    body = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": metadata, "spec": wanted}
    await site.api.post(VMS, body)


async def adopt(site: Site, name: str, **spec: Any) -> None:
    """As a person does who writes the manifest."""
    wanted = {"pairRef": {"name": "demo"}, "vmRef": {"name": name}, **spec}
    body = {"apiVersion": "avance.dev/v1alpha1", "kind": "ProtectedVM", "metadata": {"name": name}, "spec": wanted}
    await site.api.post(PVMS, body)


async def runs(site: Site, name: str) -> str:
    """Where KubeVirt says that it runs, once it does."""

    async def there() -> str:
        vmi = await found(site, f"{VMIS}/{name}")
        status = (vmi or {}).get("status") or {}
        return str(status.get("nodeName", "")) if status.get("phase") == "Running" else ""

    return str(await site.until(there, f"{name} running"))


async def found(site: Site, path: str) -> Object | None:
    try:
        return dict(await site.api.get(path))
    except ApiError as error:
        if error.status != 404:
            raise
        return None


async def protected(site: Site, name: str, status: str = "True", words: str = "", reason: str = "") -> None:
    async def there() -> bool:
        conditions = ((await site.pvm(name)).get("status") or {}).get("conditions") or ()
        told: Object = next((each for each in conditions if each["type"] == "Protected"), {})
        right = told.get("status") == status and words in told.get("message", "")
        return right and reason in ("", told.get("reason"))

    await site.until(there, f"{name} Protected={status} {words}")


async def let_go(site: Site, name: str) -> None:
    await site.remove_vm(name)

    async def gone() -> bool:
        return await found(site, f"{PVMS}/{name}") is None

    await site.until(gone, f"{name} let go")


def as_its_owner_sees_it(machine: Object) -> Object:
    """Everything but what the API server counts with every write, and what KubeVirt tells."""
    counted = ("resourceVersion", "generation", "managedFields")
    metadata = {key: value for key, value in machine["metadata"].items() if key not in counted}
    return {"metadata": metadata, "spec": machine["spec"]}


async def test_a_running_vm_is_adopted_fails_over_and_is_let_go_as_it_was(site: Site) -> None:
    """Adopting and letting go neither stop nor restart it; between the two its server may crash."""
    await make_machine(site, "legacy")
    home = await runs(site, "legacy")
    before = as_its_owner_sees_it(await site.virtual_machine("legacy"))
    uid = (await site.api.get(f"{VMIS}/legacy"))["metadata"]["uid"]
    await adopt(site, "legacy")
    await protected(site, "legacy")
    assert (await site.api.get(f"{VMIS}/legacy"))["metadata"]["uid"] == uid
    taken = await site.virtual_machine("legacy")
    assert taken["spec"]["runStrategy"] == "Manual"
    assert "running" not in taken["spec"]
    assert "ownerReferences" not in taken["metadata"]
    await site.vm_says("legacy", "its instance still has evictionStrategy LiveMigrate")

    await site.hardware.crash(home)
    other = BACKUP if home == PRIMARY else PRIMARY
    await site.vms_run_on(other, "legacy", within=60)
    await site.whole()
    lives = len(site.runs("legacy"))
    await let_go(site, "legacy")
    assert as_its_owner_sees_it(await site.virtual_machine("legacy")) == before
    assert await runs(site, "legacy")
    assert len(site.runs("legacy")) == lives, "letting go restarted it"


async def test_an_operator_that_dies_while_it_adopts_and_lets_go_is_resumed(site: Site) -> None:
    """Whatever was written when it died, the next one brings it to its end, and the VM never notices."""
    await make_machine(site, "legacy", running=None, runStrategy="Always")
    await runs(site, "legacy")
    before = as_its_owner_sees_it(await site.virtual_machine("legacy"))
    promised = await site.revision_when(PVMS, lambda pvm: bool(pvm["metadata"].get("finalizers")))
    await adopt(site, "legacy")
    await promised
    await site.operator("kill")
    await site.operator("start")
    await protected(site, "legacy")
    returned = await site.revision_when(VMS, lambda machine: machine["spec"].get("runStrategy") == "Always")
    await site.remove_vm("legacy")
    await returned
    await site.operator("kill")
    await site.operator("start")

    async def gone() -> bool:
        return await found(site, f"{PVMS}/legacy") is None

    await site.until(gone, "legacy let go")
    assert as_its_owner_sees_it(await site.virtual_machine("legacy")) == before
    assert len(site.runs("legacy")) == 1


async def test_what_cannot_be_protected_is_left_alone_with_words(site: Site) -> None:
    """Refused VMs stay exactly as they are; what its owner deletes is not made again."""
    pinned = {**OWNERS["template"]["spec"], "nodeSelector": {"kubernetes.io/hostname": PRIMARY}}
    await make_machine(site, "pinned", template={"spec": pinned})
    await make_machine(site, "taken", running=False)
    await make_machine(site, "fleeting")
    before = {name: await site.virtual_machine(name) for name in ("pinned", "taken")}
    for name in ("pinned", "fleeting"):
        await adopt(site, name)
    await site.apply_vm("taken")
    await protected(site, "pinned", "False", "its node selector asks for kubernetes.io/hostname", "KeptOffANode")
    await protected(site, "taken", "False", "adopt it (vmRef", "NameTaken")
    await protected(site, "fleeting")
    await site.api.delete(f"{VMS}/fleeting")
    await protected(site, "fleeting", "False", "none is made in its place", "NoVirtualMachine")
    for name, was in before.items():
        assert as_its_owner_sees_it(await site.virtual_machine(name)) == as_its_owner_sees_it(was)
    await asyncio.gather(*(let_go(site, name) for name in ("pinned", "taken", "fleeting")))


async def test_whoever_takes_a_field_back_is_answered_three_times_and_then_named(site: Site) -> None:
    """A person's kubectl apply is put right; a program that insists is not fought."""
    await make_machine(site, "legacy", running=None, runStrategy="Always")
    await runs(site, "legacy")
    await adopt(site, "legacy")
    await protected(site, "legacy")

    async def managed() -> bool:
        return bool((await site.virtual_machine("legacy"))["spec"]["runStrategy"] == "Manual")

    insist = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "legacy"},
        "spec": {"runStrategy": "Always"},
    }
    for _ in range(3):
        await site.api.patch(
            f"{VMS}/legacy", insist, "application/apply-patch+yaml", fieldManager="gitops", force="true"
        )
        await site.until(managed, "runStrategy put back")
    await site.api.patch(f"{VMS}/legacy", insist, "application/apply-patch+yaml", fieldManager="gitops", force="true")
    await protected(site, "legacy", "False", "gitops has set spec.runStrategy", "TakenBack")
    assert len(site.runs("legacy")) == 1
    await let_go(site, "legacy")
    assert (await site.virtual_machine("legacy"))["spec"]["runStrategy"] == "Always"


async def typed(site: Site, *words: str) -> tuple[int, str]:
    """Exit status and everything that the command said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "avance", *words, "--kubeconfig", str(site.lab.control_plane.kubeconfig)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_the_commands_adopt_and_release_what_runs_and_what_does_not(site: Site) -> None:
    """A VM that is off stays off, one that cannot be adopted is left alone, and the exit status says which it was."""
    pinned = {**OWNERS["template"]["spec"], "nodeSelector": {"kubernetes.io/hostname": PRIMARY}}
    await make_machine(site, "legacy")
    await make_machine(site, "idle", running=False)
    await make_machine(site, "pinned", template={"spec": pinned})
    await runs(site, "legacy")
    before = {name: as_its_owner_sees_it(await site.virtual_machine(name)) for name in ("legacy", "idle")}
    for name in before:
        status, said = await typed(site, "vm", "adopt", f"default/{name}")
        assert status == 0, said
        assert f"default/{name} is adopted" in said
    assert (await site.pvm("idle"))["spec"]["running"] is False
    status, said = await typed(site, "vm", "adopt", "pinned")
    assert status == 1, said
    assert "its node selector asks for" in said
    assert (await typed(site, "vm", "adopt", "nobody"))[0] == 2
    for name in (*before, "pinned"):
        status, said = await typed(site, "vm", "release", name)
        assert status == 0, said
    for name, was in before.items():
        assert as_its_owner_sees_it(await site.virtual_machine(name)) == was
    assert len(site.runs("legacy")) == 1
    assert site.runs("idle") == []
    assert (await typed(site, "vm", "release", "legacy"))[0] == 2
