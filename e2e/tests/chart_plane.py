"""A control plane of its own for tests of the installed chart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from e2e.controlplane import ControlPlane, ensure_binaries
from e2e.tests.chart import CHART, NAMESPACE, RELEASE, Helm


async def _nothing(plane: ControlPlane) -> None:
    pass


@asynccontextmanager
async def with_the_chart(
    directory: Path, *values: str, before: Callable[[ControlPlane], Awaitable[None]] = _nothing
) -> AsyncIterator[tuple[ControlPlane, Helm]]:
    """The release is installed with these values, in a namespace that admits restricted pods only; no kubelet runs
    anything. `before`: what is done to the cluster before the installation.
    """
    binaries = await ensure_binaries()
    plane = ControlPlane(directory / "plane", binaries)
    try:
        await plane.start()
        helm = Helm(binaries.helm, directory / "helm", plane.kubeconfig)
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        await plane.api.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE, "labels": labels}})
        await before(plane)
        await asyncio.to_thread(helm.run, "install", RELEASE, str(CHART), "--namespace", NAMESPACE, *values)
        yield plane, helm
    finally:
        await plane.stop()
