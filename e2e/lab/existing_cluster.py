"""Runs the operator from this checkout against the cluster of $KUBECONFIG, whatever cluster that is."""

import os
import tempfile
from pathlib import Path

from e2e.controlplane import Api
from e2e.controlplane.build import ensure_program
from e2e.controlplane.kubeconfig import cluster_of, service_account_token, write_kubeconfig
from e2e.controlplane.processes import Processes
from e2e.lab.install import NAMESPACE, SERVICE_ACCOUNT, install_chart, until_served
from e2e.lab.operator_process import OperatorProcess
from e2e.lab.state import LabError


async def run_operator() -> int:
    """Installs or upgrades the chart there (replicas 0), then runs one operator until it ends. Raises LabError."""
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig or not Path(kubeconfig).is_file():
        raise LabError("set KUBECONFIG to the kubeconfig file of the cluster to run against")
    with tempfile.TemporaryDirectory(prefix="avance-operator-") as scratch:
        directory = Path(scratch)
        await install_chart(await ensure_program("helm"), Path(kubeconfig), directory)
        async with await Api.from_kubeconfig(Path(kubeconfig)) as api:
            await until_served(api)
            credentials = await service_account_token(api, NAMESPACE, SERVICE_ACCOUNT)
        own = write_kubeconfig(directory / "kubeconfig", cluster_of(Path(kubeconfig)), SERVICE_ACCOUNT, credentials)
        operator = OperatorProcess(0, own, Processes(directory))
        try:
            await operator.start()
            print(f"the operator runs (pid {operator.pid}), metrics at {operator.metrics_url}; Ctrl-C ends it")
            return await operator.wait()
        finally:
            await operator.stop()
