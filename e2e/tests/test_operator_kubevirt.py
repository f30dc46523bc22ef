"""KubeVirt itself fails, comes late or is too old: said in words on the pair, survived, and made up for afterwards."""

import os

import pytest

from e2e.kubevirt import KubeVirt
from e2e.lab import Lab, LabOptions
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY, Object

pytestmark = pytest.mark.timeout(240)
BACK_S = 60.0
"""The API server asks an aggregated API that was away at most 30 s later whether it is back."""
MIGRATION_CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/virtualmachineinstancemigrations.kubevirt.io"


async def test_virt_api_is_down_in_a_crash(site: Site) -> None:
    """The dead server is fenced; its VM comes up once virt-api is back."""
    await site.running_vms("web")
    site.faults.webhooks_down(True)
    try:
        await site.pair_is("FailoverReady", "False", "virt-api does not answer")
        await site.hardware.power_cut(PRIMARY)
        await site.action_says("ColdRestart", "web", "virt-api does not answer", within=BACK_S)
    finally:
        site.faults.webhooks_down(False)
    await site.vms_run_on(BACKUP, "web", within=BACK_S)
    await site.whole(within=2 * BACK_S)
    assert [(one.type, one.phase) for one in await site.actions(target="web") if one.type != "Start"] == [
        ("ColdRestart", "Succeeded")
    ]


async def test_virt_controller_is_down(site: Site) -> None:
    """Nothing is moved that nobody would carry out; it moves when virt-controller is back."""
    await site.running_vms("web")
    site.faults.controller_down(True)
    try:
        await site.pair_is("FailoverReady", "False", "virt-controller has not renewed its Lease")
        await site.hardware.fail_component(PRIMARY, "Fan", "fan1")
        await site.action("CallHome", PRIMARY)
        await site.node_is(PRIMARY, score=94)
        assert await site.actions("Migrate") == []
    finally:
        site.faults.controller_down(False)
    await site.vms_run_on(BACKUP, "web")
    assert len({run["vmi_uid"] for run in site.runs("web")}) == 1, "it was restarted"


async def test_an_older_kubevirt_that_cannot_aim_a_migration(site: Site) -> None:
    """Its API server drops the field without a word, and the VM would go anywhere."""
    await site.running_vms("web")
    await site.operator("stop")
    definition = await site.api.get(MIGRATION_CRD)
    version = definition["spec"]["versions"][0]
    schema: Object = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"vmiName": {"type": "string"}}},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    older = [{**version, "schema": {"openAPIV3Schema": schema}}]
    await site.api.patch(MIGRATION_CRD, {"spec": {"versions": older}})
    try:
        await site.operator("start")
        await site.pair_is("FailoverReady", "False", "no spec.addedNodeSelector in VirtualMachineInstanceMigration")
        await site.hardware.fail_component(PRIMARY, "Fan", "fan1")
        await site.node_is(PRIMARY, score=94)
        assert await site.actions("Migrate") == []
        await site.ask_for("Migrate", "web")  # a person may; the API server is told to refuse it
        await site.action_says("Migrate", "web", 'unknown field "spec.addedNodeSelector"')
        assert [run["node"] for run in site.runs("web")] == [PRIMARY]
    finally:
        await site.api.patch(MIGRATION_CRD, {"spec": {"versions": [version]}})
    await site.vms_run_on(BACKUP, "web")


async def test_kubevirt_is_installed_after_the_operator(worker_id: str) -> None:
    """Missing definitions are told and waited for, and then everything works without a restart of the operator."""
    async with Lab(f"late-{worker_id}-{os.getpid()}", LabOptions(kubevirt=False)) as lab:
        lab.kubevirt = KubeVirt(lab.control_plane, lab.hardware, lab.state_dir)
        site = Site(lab)
        await site.apply_pair()
        operator = lab.operators[1].pid
        await site.pair_is("FailoverReady", "False", "KubeVirt is not installed")
        try:
            await lab.kubevirt.start()
            await site.pair_is("FailoverReady", within=BACK_S)
            await site.running_vms("web")
            assert lab.operators[1].pid == operator, "the operator was started anew"
        finally:
            await lab.kubevirt.stop()
