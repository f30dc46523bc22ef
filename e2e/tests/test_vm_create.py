"""VMs in two minutes: made from golden images and from the web, copied, turned into images, as people type it."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from e2e.cdi import Cdi, Image
from e2e.kubevirt.quantity import parse_bytes
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import PAIR, PODS, PRIMARY, PVMS, VMS, Object

pytestmark = pytest.mark.timeout(240)

CDI = "/apis/cdi.kubevirt.io/v1beta1"
PAGE = Path(__file__).parents[2] / "docs" / "golden-images.md"
WEB = "https://images.example"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


class Desk:
    """An administrator's shell, and the CDI of the lab."""

    def __init__(self, site: Site) -> None:
        assert site.lab.cdi is not None
        self.site, self.cdi = site, site.lab.cdi

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Exit status, what it printed, and what it said beside that."""
        kubeconfig = str(self.site.lab.control_plane.kubeconfig)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "avance", *words, "--kubeconfig", kubeconfig,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        printed, said = await process.communicate()
        return process.returncode or 0, printed.decode(), said.decode()

    async def done(self, *words: str) -> str:
        """What a command printed and said that has to succeed."""
        status, printed, said = await self.run(*words)
        assert status == 0, f"{words}: {printed}{said}"
        return printed + said

    async def provisioned(self, vm: str) -> Object:
        """The condition."""
        conditions = ((await self.site.pvm(vm)).get("status") or {}).get("conditions") or ()
        return next((each for each in conditions if each["type"] == "Provisioned"), {})

    async def vm_waits(self, vm: str, reason: str, words: str) -> str:
        """Awaits that its disks are not there for this reason, in these words; the whole message."""

        async def there() -> str:
            found = await self.provisioned(vm)
            fits = found.get("reason") == reason and words in found["message"]
            return str(found["message"]) if fits else ""

        return str(await self.site.until(there, f"{vm} {reason}: {words}"))


@pytest_asyncio.fixture(loop_scope="session")
async def desk(site: Site) -> AsyncIterator[Desk]:
    """Without images, before and after."""
    made = Desk(site)
    offered = dict(made.cdi.images)
    yield made
    made.cdi.images.clear()
    made.cdi.images.update(offered)
    await remove_images(made.cdi, site)


async def remove_images(cdi: Cdi, site: Site) -> None:
    for plural in ("datasources", "datavolumes"):
        for obj in (await site.api.get(f"{CDI}/{plural}"))["items"]:
            if not any(owner["kind"] == "VirtualMachine" for owner in obj["metadata"].get("ownerReferences") or ()):
                await site.api.delete(
                    f"{CDI}/namespaces/{obj['metadata']['namespace']}/{plural}/{obj['metadata']['name']}"
                )


async def namespace(site: Site, name: str) -> None:
    """Made once, and kept for the session."""
    names = [each["metadata"]["name"] for each in (await site.api.get("/api/v1/namespaces"))["items"]]
    if name not in names:
        await site.api.post("/api/v1/namespaces", {"metadata": {"name": name}})


async def test_an_image_is_fetched_once_and_a_vm_is_made_from_it(site: Site, desk: Desk) -> None:
    told = await desk.done("image", "import", "debian-12", "--http", f"{WEB}/debian-12.qcow2", "--size", "5Gi")
    assert "golden image default/debian-12 is ready" in told
    [row] = json.loads(await desk.done("image", "list", "-o", "json"))
    assert (row["image"], row["size"], row["ready"]) == ("default/debian-12", "5Gi", "yes")

    told = await desk.done("vm", "create", "web", "--image", "debian-12", "--memory", "512Mi", "--cores", "1")
    assert f"default/web runs on {PRIMARY}" in told
    await site.vms_run_on(PRIMARY, "web")
    assert (await desk.provisioned("web"))["status"] == "True"
    claim = await site.api.get("/api/v1/namespaces/default/persistentvolumeclaims/web-root")
    assert parse_bytes(claim["spec"]["resources"]["requests"]["storage"]) == 5 * 1024**3
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    status, _, said = await desk.run("vm", "create", "db", "--image", "ubuntu")
    assert status == 2
    assert "there are: default/debian-12" in said
    status, _, said = await desk.run("vm", "create", "web", "--image", "debian-12")
    assert status == 1
    assert "there is a ProtectedVM default/web already" in said


async def test_what_is_imported_is_neither_started_nor_down(site: Site, desk: Desk) -> None:
    """It is shown how far the import is, also after the operator was killed in the middle of it."""
    url = f"{WEB}/stuck.qcow2"
    await site.apply_vm("web", disks=[{"name": "root", "capacity": "10Gi", "http": {"url": url}}])
    await desk.vm_waits("web", "Provisioning", "disk root is imported: 25 %")
    await site.operator("kill")
    await site.operator("start")
    await site.edit_vm("web", restartPriority="High")  # what the new operator takes in, it has looked at

    async def seen_anew() -> bool:
        pvm = await site.pvm("web")
        return bool(pvm["status"]["observedGeneration"] == pvm["metadata"]["generation"])

    await site.until(seen_anew, "a look of the new operator")
    pvm = await site.pvm("web")
    assert pvm["status"]["phase"] == "Provisioning"
    assert (await desk.provisioned("web"))["message"] == "disk root is imported: 25 %"
    assert await site.actions() == []
    desk.cdi.images[url] = Image()
    await site.vms_run_on(PRIMARY, "web")
    status = (await site.pvm("web"))["status"]
    assert not status.get("outages")
    assert [(one.type, one.phase) for one in await site.actions()] == [("Start", "Succeeded")]


async def test_a_failing_import_names_the_disk_the_cause_and_what_to_do(site: Site, desk: Desk) -> None:
    """No start is tried, nothing is counted as a failure of the VM, and a mended server mends it."""
    url = f"{WEB}/gone.qcow2"
    status, _, said = await desk.run("vm", "create", "web", "--http", url, "--memory", "512Mi", "--timeout", "60s")
    assert status == 1
    cause = "Unable to connect to http data source: expected status code 200, got 404. Status: 404 Not Found"
    assert f"{cause}; see that the address is right and answers" in said
    assert "disk root cannot be made" in said
    assert "kubectl delete pvm web -n default" in said
    assert await site.actions() == []
    events = (await site.api.get("/apis/events.k8s.io/v1/namespaces/default/events"))["items"]
    assert any(each["reason"] == "NotProvisioned" and cause in each["note"] for each in events)
    desk.cdi.images[url] = Image()
    await site.vms_run_on(PRIMARY, "web")
    assert (await desk.provisioned("web"))["status"] == "True"


async def test_a_disk_that_is_too_small_for_its_image(site: Site, desk: Desk) -> None:
    await site.apply_vm("web", disks=[{"name": "root", "capacity": "10Gi", "http": {"url": f"{WEB}/large.qcow2"}}])
    told = await desk.vm_waits("web", "ProvisioningFailed", "A larger PVC is required")
    assert "give the disk a larger capacity, and delete the DataVolume default/web-root" in told
    await site.edit_vm("web", disks=[{"name": "root", "capacity": "60Gi", "http": {"url": f"{WEB}/large.qcow2"}}])

    async def passed_on() -> bool:
        [made] = (await site.api.get(f"{VMS}/web"))["spec"]["dataVolumeTemplates"]
        return bool(made["spec"]["storage"]["resources"]["requests"]["storage"] == "60Gi")

    await site.until(passed_on, "the larger disk in the VirtualMachine")
    await site.api.delete(f"{CDI}/namespaces/default/datavolumes/web-root")
    await site.vms_run_on(PRIMARY, "web")


async def test_an_image_of_another_namespace_needs_a_right_there(site: Site, desk: Desk) -> None:
    """That of the VM's service account, not of the operator, which may read no claim at all."""
    await namespace(site, "images")
    await desk.done("image", "import", "images/debian-12", "--registry", "docker://registry.example/debian:12")
    await desk.done("vm", "create", "web", "--image", "debian-12", "--memory", "512Mi", "--no-wait")
    told = await desk.vm_waits("web", "ProvisioningFailed", "insufficient permissions in clone source namespace images")
    assert "docs/golden-images.md" in told
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cdi.kubevirt.io:edit"}
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts:default"}
    body: Object = {"metadata": {"name": "default-clones"}, "roleRef": role, "subjects": [group]}
    await site.api.post(f"{RBAC}/namespaces/images/rolebindings", body)
    await site.vms_run_on(PRIMARY, "web")


async def test_spindles_choose_the_storage_class(site: Site, desk: Desk) -> None:
    await desk.done(
        "vm", "create", "db", "--blank", "--memory", "512Mi", "--disk", "1Gi,spindles=4", "--disk", "2Gi", "--no-wait"
    )
    await desk.vm_waits("db", "NoStorageClass", "add it to storage.classes of pair demo (there: none)")
    classes = [{"spindles": 4, "storageClassName": "striped-4"}]
    await site.api.patch(PAIR, {"spec": {"storage": {"classes": classes}}})
    await site.vms_run_on(PRIMARY, "db")
    path = "/api/v1/namespaces/default/persistentvolumeclaims"
    claims: list[Any] = [await site.api.get(f"{path}/{name}") for name in ("db-root", "db-data1")]
    assert [claim["spec"]["storageClassName"] for claim in claims] == ["striped-4", "shared"]


async def test_a_vm_is_copied_and_made_an_image_while_it_is_off(site: Site, desk: Desk) -> None:
    await desk.done("vm", "create", "web", "--registry", "docker://registry.example/debian:12", "--memory", "512Mi")
    for words in (("vm", "clone", "web", "copy"), ("vm", "template", "web", "--name", "own")):
        status, _, said = await desk.run(*words)
        assert status == 1
        assert "default/web runs: shut it down first" in said
    await site.edit_vm("web", running=False)

    async def off() -> bool:
        return bool((await site.pvm("web"))["status"]["phase"] == "Stopped")

    await site.until(off, "web off")
    told = await desk.done("vm", "clone", "web", "copy")
    assert f"default/copy runs on {PRIMARY}" in told
    copy = await site.api.get(f"{CDI}/namespaces/default/datavolumes/copy-root")
    assert copy["spec"]["source"] == {"pvc": {"name": "web-root", "namespace": "default"}}

    told = await desk.done("vm", "template", "web", "--name", "own")
    assert "golden image default/own is ready" in told
    await desk.done("vm", "create", "third", "--image", "own", "--memory", "512Mi")
    await site.vms_run_on(PRIMARY, "copy", "third")


async def test_what_the_page_on_golden_images_says_works(site: Site, desk: Desk) -> None:
    """Every command, typed one after the other."""
    binaries = site.lab.control_plane.binaries
    path = os.pathsep.join([str(Path(sys.executable).parent), str(binaries.kubectl.parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(site.lab.control_plane.kubeconfig)}
    try:
        for block in re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
            for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command = text.replace("kubectl create namespace images", "true")  # it is there from another test
                process = await asyncio.create_subprocess_shell(
                    command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
                )
                output, _ = await process.communicate()
                assert process.returncode == 0, f"{text}{output.decode()}"
        images = json.loads(await desk.done("image", "list", "-o", "json"))
        assert [row["image"] for row in images] == ["images/debian-12", "images/debian-12-registry"]
    finally:
        await remove_shop(site)


async def remove_shop(site: Site) -> None:
    """What the page has made in its namespace."""
    vms = PVMS.replace("default", "shop")
    for pvm in (await site.api.get(vms))["items"]:
        await site.api.delete(f"{vms}/{pvm['metadata']['name']}")

    async def gone() -> bool:
        kinds = (vms, VMS.replace("default", "shop"), PODS.replace("default", "shop"))
        return not any([(await site.api.get(path))["items"] for path in kinds])

    await site.until(gone, "the VMs of shop removed", 60)
