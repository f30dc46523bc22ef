"""VMs of an instance type, with a preference, by UEFI, on networks: KubeVirt's refusals are told in its words."""

from typing import Any

import pytest

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session, refused  # noqa: F401
from e2e.tests.operator_records import PRIMARY, VMIS, VMS, Object

pytestmark = pytest.mark.timeout(180)

TYPES = "/apis/instancetype.kubevirt.io/v1beta1/virtualmachineclusterinstancetypes"
PREFERENCES = "/apis/instancetype.kubevirt.io/v1beta1/virtualmachineclusterpreferences"
NETWORKS = "/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions"


async def make(site: Site, path: str, kind: str, name: str, **spec: Any) -> None:
    group = path.removeprefix("/apis/").split("/")
    body = {"apiVersion": "/".join(group[:2]), "kind": kind, "metadata": {"name": name}, "spec": spec}
    await site.api.post(path, body)


def sized(name: str, **guest: Any) -> Object:
    return {"cores": None, "memory": None, "guest": {"instanceType": {"name": name}, **guest}}


async def test_a_vm_of_an_instance_type_counts_before_it_runs(site: Site) -> None:
    """What there is not, and what does not fit, is told; then it runs, with the size and firmware asked for."""
    await site.apply_vm("web", **sized("u1.tiny", preference={"name": "windows.11"}))
    await site.vm_says("web", "there is no VirtualMachineClusterInstancetype u1.tiny")
    assert await site.actions("Start", "web") == []
    await make(site, TYPES, "VirtualMachineClusterInstancetype", "u1.tiny", cpu={"guest": 2}, memory={"guest": "512Mi"})
    try:
        await site.vm_says("web", 'virtualmachineclusterpreferences.instancetype.kubevirt.io "windows.11" not found')
        preferred = {"firmware": {"preferredEfi": {"secureBoot": True}}, "features": {"preferredSmm": {}}}
        await make(site, PREFERENCES, "VirtualMachineClusterPreference", "windows.11", **preferred)
        await site.vms_run_on(PRIMARY, "web", within=60)
        domain = (await site.api.get(f"{VMIS}/web"))["spec"]["domain"]
        assert domain["cpu"]["sockets"] == 2
        assert domain["memory"]["guest"] == "512Mi"
        assert domain["firmware"]["bootloader"]["efi"] == {"secureBoot": True}

        size = {"cpu": {"guest": 2}, "memory": {"guest": "4096Gi"}}
        await make(site, TYPES, "VirtualMachineClusterInstancetype", "u1.huge", **size)
        await site.apply_vm("huge", **sized("u1.huge"))
        await site.vm_says("huge", "4096.3 GiB")
    finally:
        for path, name in ((TYPES, "u1.tiny"), (TYPES, "u1.huge"), (PREFERENCES, "windows.11")):
            await refused(site.api.delete(f"{path}/{name}"))


async def test_kubevirt_hears_nothing_twice(site: Site) -> None:
    """Its stand-in refuses what the real one refuses: a size beside an instance type, secure boot without SMM."""
    await make(site, TYPES, "VirtualMachineClusterInstancetype", "u1.tiny", cpu={"guest": 2}, memory={"guest": "512Mi"})
    try:
        template: Object = {"spec": {"domain": {"cpu": {"cores": 2}, "devices": {}}}}
        spec = {"runStrategy": "Manual", "instancetype": {"name": "u1.tiny"}, "template": template}
        body = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "twice"}, "spec": spec}
        refusal = await refused(site.api.post(VMS, body))
        assert refusal is not None
        assert "spec.template.spec.domain.cpu.cores conflicts with selected instance type" in str(refusal)
        template["spec"]["domain"] = {"devices": {}, "firmware": {"bootloader": {"efi": {"secureBoot": True}}}}
        refusal = await refused(site.api.post(VMS, body))
        assert refusal is not None
        assert "SecureBoot requires SMM" in str(refusal)
    finally:
        await site.api.delete(f"{TYPES}/u1.tiny")


async def test_a_network_that_is_missing_is_named(site: Site) -> None:
    """The VM runs as soon as it is there."""
    networks = [{"name": "default", "pod": True}, {"name": "lan", "networkAttachment": "default/lan"}]
    uefi = {"firmware": {"uefi": True, "secureBoot": True}, "tpm": "Ephemeral"}
    await site.apply_vm("web", networks=networks, guest=uefi)
    await site.vm_says("web", "failed to locate network attachment definition default/lan")
    await make(site, NETWORKS, "NetworkAttachmentDefinition", "lan", config="{}")
    try:
        await site.vms_run_on(PRIMARY, "web", within=60)
    finally:
        await site.api.delete(f"{NETWORKS}/lan")
