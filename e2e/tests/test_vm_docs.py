"""docs/adopting.md and docs/windows.md: what they tell people to type, typed."""

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from e2e.cdi import Image
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import KUBEVIRT, PVMS, VMIS, VMS
from e2e.tests.test_vm_adopt import OWNERS
from e2e.tests.test_vm_create import Desk, desk, namespace, remove_shop  # noqa: F401

pytestmark = pytest.mark.timeout(240)

DOCS = Path(__file__).parents[2] / "docs"
ELSEWHERE = {
    "virtctl vnc": "shows the guest's screen, and nothing runs guests here",
    "kubectl create namespace": "it may be there from another test",
}


async def type_all(
    site: Site, page: str, directory: Path, after: Mapping[str, Callable[[], Awaitable[object]]]
) -> None:
    """Every command of a page in its order; `after` those that begin so, something is awaited."""
    binaries = site.lab.control_plane.binaries
    path = os.pathsep.join([str(Path(sys.executable).parent), str(binaries.kubectl.parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(site.lab.control_plane.kubeconfig)}
    text = (DOCS / f"{page}.md").read_text()
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            if command.startswith(tuple(ELSEWHERE)):
                continue
            filled = command.replace("<registry>", "registry.example").replace("--pair shop", "--pair demo")
            process = await asyncio.create_subprocess_shell(
                filled,
                cwd=directory,
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await process.communicate()
            assert process.returncode == 0, f"docs/{page}.md: {command}{output.decode()}"
            for start, awaited in after.items():
                if command.startswith(start):
                    await awaited()


async def phase(site: Site, where: str, name: str, wanted: str) -> None:
    async def there() -> bool:
        found = await site.api.get(f"{PVMS.replace('default', where)}/{name}")
        return bool((found.get("status") or {}).get("phase") == wanted)

    await site.until(there, f"{name} {wanted}", 60)


async def test_what_the_page_on_adopting_says_works(site: Site, tmp_path: Path) -> None:
    await namespace(site, "shop")
    machines = VMS.replace("default", "shop")
    body = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "legacy"}, "spec": OWNERS}
    await site.api.post(machines, body)

    async def runs() -> bool:
        found = (await site.api.get(VMIS.replace("default", "shop")))["items"]
        return any((each.get("status") or {}).get("phase") == "Running" for each in found)

    try:
        await site.until(runs, "legacy runs")
        await type_all(site, "adopting", tmp_path, {})
        assert (await site.api.get(f"{machines}/legacy"))["spec"]["running"] is True
        assert (await site.api.get(PVMS.replace("default", "shop")))["items"] == []
    finally:
        await site.api.delete(f"{machines}/legacy")
        await remove_shop(site)


async def test_what_the_page_on_windows_says_works(site: Site, desk: Desk, tmp_path: Path) -> None:  # noqa: F811
    """From the ISO to the golden image, as far as no guest is needed."""
    await namespace(site, "images")
    desk.cdi.images["https://images.example/windows-2022.iso"] = Image()
    (tmp_path / "unattend.xml").write_text("<unattend/>")
    name = "windows-2022"
    after = {
        "avance vm create images/": lambda: phase(site, "images", name, "Running"),
        "kubectl patch pvm": lambda: phase(site, "images", name, "Stopped"),
    }
    pvms = PVMS.replace("default", "images")
    try:
        await type_all(site, "windows", tmp_path, after)
        found = await site.api.get(f"{VMS.replace('default', 'images')}/{name}")
        domain = found["spec"]["template"]["spec"]["domain"]
        assert domain["firmware"]["bootloader"]["efi"] == {"secureBoot": True, "persistent": True}
        assert domain["features"]["smm"] == {"enabled": True}
        assert domain["devices"]["tpm"] == {"persistent": True}
    finally:
        settings = {"vmStateStorageClass": None, "developerConfiguration": None}
        await site.api.patch(KUBEVIRT, {"spec": {"configuration": settings}})
        await site.api.delete(f"{pvms}/{name}")

        async def gone() -> bool:
            return not (await site.api.get(VMS.replace("default", "images")))["items"]

        await site.until(gone, f"{name} removed", 60)
