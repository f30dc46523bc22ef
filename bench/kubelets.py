"""A process that renews the Lease of every node each 10 s, as so many kubelets would, and virt-controller's too:
`python -m bench.kubelets`.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from bench.fleet import KUBEVIRT, lease, moment_exact
from e2e.controlplane import Api, ApiError
from e2e.controlplane.client import MERGE

PERIOD_S = 10.0
CONTROLLER_PERIOD_S = 2.0
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
CONTROLLER_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{KUBEVIRT}/leases"


async def renew_for_ever(kubeconfig: Path, names: list[str]) -> None:
    """Spread evenly over the period; returns never. A late or refused renewal is left to the next turn."""
    loop = asyncio.get_running_loop()
    async with await Api.from_kubeconfig(kubeconfig) as api, asyncio.TaskGroup() as group:
        group.create_task(_control(api))
        begin, turn = loop.time(), 0
        pending: set[asyncio.Task[None]] = set()
        while True:
            for index, name in enumerate(names):
                due = begin + (turn + index / len(names)) * PERIOD_S
                if (pause := due - loop.time()) > 0:
                    await asyncio.sleep(pause)
                task = asyncio.create_task(_renew(api, LEASES, name))
                pending.add(task)
                task.add_done_callback(pending.discard)
            turn += 1


async def _control(api: Api) -> None:
    while True:
        await _renew(api, CONTROLLER_LEASES, "virt-controller")
        await asyncio.sleep(CONTROLLER_PERIOD_S)


async def _renew(api: Api, leases: str, name: str) -> None:
    try:
        try:
            await api.patch(f"{leases}/{name}", {"spec": {"renewTime": moment_exact()}}, MERGE)
        except ApiError as error:
            if error.status == 404:
                await api.post(leases, lease(name))
    except (ApiError, OSError, TimeoutError):
        return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kubeconfig", type=Path)
    parser.add_argument("nodes", type=Path, help="file with a node's name in each line")
    chosen = parser.parse_args()
    asyncio.run(renew_for_ever(chosen.kubeconfig, chosen.nodes.read_text().split()))


if __name__ == "__main__":
    main()
