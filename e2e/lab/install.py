"""Installs the product's chart with helm, and what a user adds to it: the Secrets with the BMCs' credentials."""

import asyncio
import base64
import os
from pathlib import Path

from e2e.controlplane import Api, ApiError, wait_until
from e2e.controlplane.build import REPOSITORY
from e2e.hardware import Bmc
from e2e.lab.state import LabError

CHART = REPOSITORY / "helm" / "avance"
NAMESPACE = "avance-system"
RELEASE = "avance"
SERVICE_ACCOUNT = "avance"
KINDS = ("avancepairs", "protectedvms", "avanceactions")


async def install_chart(helm: Path, kubeconfig: Path, scratch: Path) -> None:
    """CRDs, RBAC and policies of the chart, with no replica: the operator runs as a host process. Raises LabError."""
    directories = {f"HELM_{kind}_HOME": str(scratch / "helm" / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    process = await asyncio.create_subprocess_exec(
        helm, "upgrade", "--install", RELEASE, CHART, "--kubeconfig", kubeconfig,
        "--namespace", NAMESPACE, "--create-namespace", "--set", "replicas=0", "--set", "storage.provider=Longhorn",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=os.environ | directories,
    )  # fmt: skip
    output, _ = await process.communicate()
    if process.returncode:
        raise LabError(f"helm could not install {CHART}:\n{output.decode().strip()}")


async def until_served(api: Api) -> None:
    """Awaits that the API server serves the three kinds: for a moment after their creation it answers 404 and 429."""

    async def served() -> bool:
        try:
            for kind in KINDS:
                await api.get(f"/apis/avance.dev/v1alpha1/{kind}")
        except ApiError:
            return False
        return True

    await wait_until(served, 30, "the API server serves avance.dev/v1alpha1")


async def until_noted(api: Api) -> None:
    """Awaits that the API server notes who edits: for some seconds after it has the kinds it answers 503 instead."""
    pair = {
        "apiVersion": "avance.dev/v1alpha1",
        "kind": "AvancePair",
        "metadata": {"name": "noted"},
        "spec": {"nodeSelector": {"avance.dev/pair": "noted"}},
    }

    async def noted() -> bool:
        try:
            made = await api.post("/apis/avance.dev/v1alpha1/avancepairs", pair, dryRun="All")
        except ApiError as error:
            if error.status == 503:
                return False
            raise
        return "avance.dev/edits" in made["metadata"].get("annotations", {})

    await wait_until(noted, 60, "the API server notes who edits")


async def create_bmc_secrets(api: Api, bmcs: dict[str, Bmc]) -> None:
    """Secret `bmc-<node>` in the operator's namespace for each BMC: `username`, `password`, `ca.crt`."""
    for node, bmc in bmcs.items():
        content = {
            "username": bmc.username,
            "password": bmc.password,
            "ca.crt": bmc.ca_certificate.read_text(),
        }
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"bmc-{node}"},
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in content.items()},
        }
        try:
            await api.post(f"/api/v1/namespaces/{NAMESPACE}/secrets", secret)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
