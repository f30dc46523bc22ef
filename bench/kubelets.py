"""A process that renews the Lease of every node each 10 s, as so many kubelets would: `python -m bench.kubelets`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from bench.fleet import lease, moment_exact
from e2e.controlplane import Api, ApiError
from e2e.controlplane.client import MERGE

PERIOD_S = 10.0
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


async def renew_for_ever(kubeconfig: Path, names: list[str]) -> None:
    """Spread evenly over the period; returns never. A late or refused renewal is left to the next turn."""
    loop = asyncio.get_running_loop()
    async with await Api.from_kubeconfig(kubeconfig) as api:
        begin, turn = loop.time(), 0
        pending: set[asyncio.Task[None]] = set()
        while True:
            for index, name in enumerate(names):
                due = begin + (turn + index / len(names)) * PERIOD_S
                if (pause := due - loop.time()) > 0:
                    await asyncio.sleep(pause)
                task = asyncio.create_task(_renew(api, name))
                pending.add(task)
                task.add_done_callback(pending.discard)
            turn += 1


async def _renew(api: Api, name: str) -> None:
    try:
        try:
            await api.patch(f"{LEASES}/{name}", {"spec": {"renewTime": moment_exact()}}, MERGE)
        except ApiError as error:
            if error.status == 404:
                await api.post(LEASES, lease(name))
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
