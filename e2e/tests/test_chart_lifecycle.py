"""The real helm upgrades, rolls back, removes and installs the operator while VMs run, and in a failover."""

import asyncio
import shutil
from pathlib import Path

import pytest
import pytest_asyncio

from e2e.lab.install import install_chart
from e2e.tests.chart import CHART, NAMESPACE, RELEASE, Helm
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PAIR, PRIMARY, PVMS

pytestmark = pytest.mark.timeout(300)
PAIR_CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/avancepairs.avance.dev"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/avance"
VM_NAMES = ("web", "db")


class Release:
    """The lab's release, as an administrator handles it."""

    def __init__(self, site: Site, scratch: Path) -> None:
        plane = site.lab.control_plane
        self._site, self._scratch = site, scratch
        self._helm = Helm(plane.binaries.helm, scratch / "helm", plane.kubeconfig)

    async def helm(self, *arguments: str) -> str:
        return await asyncio.to_thread(self._helm.run, *arguments, "--namespace", NAMESPACE)

    async def install(self) -> None:
        """As the lab does."""
        plane = self._site.lab.control_plane
        await install_chart(plane.binaries.helm, plane.kubeconfig, self._scratch)

    async def version(self) -> str:
        """Of the chart whose Deployment is there."""
        return str((await self._site.api.get(DEPLOYMENT))["metadata"]["labels"]["helm.sh/chart"])

    async def short_names(self) -> list[str]:
        """Those of the definition that is there."""
        return list((await self._site.api.get(PAIR_CRD))["spec"]["names"]["shortNames"])

    async def replace_operator(self, old: int, new: int) -> None:
        """As the Deployment does it: one replica after the other, told to end in order."""
        await self._site.operator("start", new)
        await self._site.operator("stop", old)


@pytest_asyncio.fixture(loop_scope="session")
async def release(site: Site, tmp_path: Path) -> Release:
    return Release(site, tmp_path)


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """The chart of a later release, with another definition."""
    chart = tmp_path / "avance"
    shutil.copytree(CHART, chart)
    for path, before, after in (
        (chart / "Chart.yaml", "ersion: 0.1.0", "ersion: 0.2.0"),
        (chart / "files" / "crds" / "avance.dev_avancepairs.yaml", "      - pair\n", "      - pair\n      - hapair\n"),
    ):
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))
    return chart


async def test_vms_run_through_an_upgrade_a_rollback_a_removal_and_an_installation(
    site: Site, release: Release, next_version: Path
) -> None:
    """No VM restarts and no action is begun."""
    await site.running_vms(*VM_NAMES)
    actions = {action.name for action in await site.actions()}
    revision = (await release.helm("history", RELEASE, "--max", "1")).splitlines()[-1].split()[0]

    await release.helm("upgrade", RELEASE, str(next_version), "--reset-then-reuse-values")
    assert (await release.version(), await release.short_names()) == ("avance-0.2.0", ["pair", "hapair"])
    await release.replace_operator(1, 2)
    await site.until(lambda: site.metric("avance_leader", 2), "the new operator leads")
    await release.helm("rollback", RELEASE, revision)
    assert (await release.version(), await release.short_names()) == ("avance-0.1.0", ["pair"])
    await release.replace_operator(2, 1)
    await site.whole()

    await site.operator("stop")
    try:
        await release.helm("uninstall", RELEASE)
        assert (await site.api.get(PAIR))["metadata"]["name"] == "demo"
        assert {pvm["metadata"]["name"] for pvm in (await site.api.get(PVMS))["items"]} == set(VM_NAMES)
    finally:
        await release.install()
        await site.operator("start")
    await site.vms_run_on(PRIMARY, *VM_NAMES)
    await site.whole()
    assert {action.name for action in await site.actions()} == actions
    assert [len(site.runs(vm)) for vm in VM_NAMES] == [1, 1]


async def test_an_upgrade_in_the_middle_of_a_failover(site: Site, release: Release, next_version: Path) -> None:
    """The new operator finishes what the old one has begun, once."""
    await site.running_vms(*VM_NAMES)
    await site.hardware.power_cut(PRIMARY)
    await site.at_step("Fence", "ConfirmOff")
    await release.helm("upgrade", RELEASE, str(next_version), "--reset-then-reuse-values")
    try:
        await release.replace_operator(1, 2)
        await site.vms_run_on(BACKUP, *VM_NAMES, within=60)
        await site.whole(within=90)
    finally:
        await release.install()
        if site.lab.operators[1].pid is None:
            await release.replace_operator(2, 1)
    done = sorted((one.type, one.target, one.phase) for one in await site.actions() if one.type != "Start")
    restarts = [("ColdRestart", vm, "Succeeded") for vm in VM_NAMES]
    assert done == sorted([*restarts, ("Fence", PRIMARY, "Succeeded"), ("Rejoin", PRIMARY, "Succeeded")])
    assert [len(site.runs(vm)) for vm in VM_NAMES] == [2, 2]
