"""What a user types by the documentation, typed: every command of the how-tos on a real control plane, in their order.

A command is run, or stands in ELSEWHERE with the reason why it cannot be: a new one that does neither fails the test.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from e2e.controlplane import ControlPlane, ensure_binaries, wait_until
from e2e.kubevirt.api import CRD, KUBEVIRT
from e2e.kubevirt.crds import definitions

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).parents[2]
PAGES = ("install", "notifications", "networking", "security", "detectors", "storage", "fencing", "upgrade")
"""In the order in which they are followed; the removal at the end of the first one comes last."""
PLACEHOLDERS = {
    "<registry>": "registry.example",
    "<user>": "operator",
    "<password>": "secret",
    "alice@example.org": "lab-admin",
}
ELSEWHERE = {
    "avance notify": "needs an operator; e2e/tests/test_operator_notifications.py types it",
    "docker ": "needs a container engine; the image's steps are run by tests/packaging",
    "curl -sfL https://get.k3s.io": "installs Kubernetes on a server",
    "oc patch hyperconvergeds": "OpenShift",
    "kubectl exec -n avance-system daemonset/avance-detectors": "needs a pod; tests/detectors runs them all",
    "kubectl -n avance-system rollout status": "waits for pods, and nothing runs pods here",
}
LAST = ("kubectl delete pvm", "helm uninstall")


@dataclass(frozen=True)
class Command:
    page: str
    text: str

    @property
    def elsewhere(self) -> bool:
        return any(self.text.startswith(start) for start in ELSEWHERE)


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands() -> list[Command]:
    """Each with the lines that go on with it; what takes everything away comes last."""
    found = [
        Command(page, text.strip())
        for page in PAGES
        for block in blocks(page, "console")
        for text in re.split(r"^\$ ", block, flags=re.MULTILINE)
        if text.strip()
    ]
    return sorted(found, key=lambda command: command.text.startswith(LAST))


def files() -> dict[str, str]:
    """The blocks that are to be saved: their first line names the file."""
    named = (re.match(r"# ([a-z-]+\.yaml)\n", block) for page in PAGES for block in blocks(page, "yaml"))
    return {match[1]: match.string for match in named if match}


def filled_in(text: str) -> str:
    for placeholder, value in PLACEHOLDERS.items():
        text = text.replace(placeholder, value)
    return text


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Path, dict[str, str]]]:
    """The directory and environment of an administrator of a cluster with two servers and KubeVirt's definitions."""
    binaries = await ensure_binaries()
    plane = ControlPlane(tmp_path_factory.mktemp("plane"), binaries)
    directory = tmp_path_factory.mktemp("desk")
    try:
        await plane.start()
        for name in ("node-a", "node-b"):
            await plane.api.post("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        for definition in definitions():
            await plane.api.post(CRD.path(), {"apiVersion": CRD.api_version, "kind": CRD.kind, **definition})
        await plane.api.post("/api/v1/namespaces", {"metadata": {"name": "kubevirt"}})

        async def served() -> bool:
            return "kubevirts" in await plane.kubectl("api-resources", "--api-group=kubevirt.io")

        await wait_until(served, 30, "KubeVirt's definitions")
        kubevirt = {"apiVersion": KUBEVIRT.api_version, "kind": KUBEVIRT.kind, "metadata": {"name": "kubevirt"}}
        await plane.api.post(KUBEVIRT.path("kubevirt"), {**kubevirt, "spec": {}})
        (directory / "helm").symlink_to(ROOT / "helm")
        for name, text in files().items():
            (directory / name).write_text(filled_in(text))
        home = {f"HELM_{kind}_HOME": str(directory / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        path = os.pathsep.join([str(binaries.helm.parent), str(binaries.kubectl.parent), os.environ["PATH"]])
        yield directory, {**os.environ, **home, "KUBECONFIG": str(plane.kubeconfig), "PATH": path}
    finally:
        await plane.stop()


async def takes_a_pair(directory: Path, environment: dict[str, str]) -> bool:
    """A person takes longer than the API server from the installation to the first pair: it learns the kinds, and then
    the policies of the chart learn them.
    """
    process = await asyncio.create_subprocess_exec(
        "kubectl", "create", "--dry-run=server", "-f", "pair.yaml", cwd=directory, env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    return await process.wait() == 0


async def test_every_command_works(desk: tuple[Path, dict[str, str]]) -> None:
    directory, environment = desk
    failures = []
    for command in commands():
        if command.elsewhere:
            continue
        assert command.text.startswith(("kubectl ", "helm ")), (
            f"docs/{command.page}.md: run it, or say why not: {command}"
        )
        text = filled_in(command.text)
        process = await asyncio.create_subprocess_shell(
            text, cwd=directory, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        if text.startswith("helm install"):
            await wait_until(partial(takes_a_pair, directory, environment), 30, "the first pair to be taken")
        if process.returncode:
            failures.append(f"docs/{command.page}.md: {command.text}\n{output.decode()}")
    assert not failures, "\n".join(failures)


def test_what_is_not_run_is_still_there() -> None:
    for start in ELSEWHERE:
        assert any(command.text.startswith(start) for command in commands()), f"remove {start!r} from the list"
