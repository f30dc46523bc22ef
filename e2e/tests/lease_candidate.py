"""A process that wants to lead, for tests that kill or freeze it. It prints what happens to it, one line each.

    python -m e2e.tests.lease_candidate <kubeconfig> <namespace> <lease>

`leading <epoch>` when it begins to lead, `effect` every 0.1 s while it works under guard, `lost` when it stops leading.
"""

import asyncio
import sys

from avance.kube.client import Kube
from avance.kube.lease import LeaderLease, LeadershipLost


async def work(lease: LeaderLease) -> None:
    while True:
        async with lease.guard():
            print("effect", flush=True)
            await asyncio.sleep(0.1)


async def main(kubeconfig: str, namespace: str, name: str) -> None:
    kube = await Kube.connect(kubeconfig)
    lease = LeaderLease(kube, namespace, name, "process")
    await lease.acquire()
    print(f"leading {lease.epoch}", flush=True)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(lease.hold(asyncio.Event()))
            tasks.create_task(work(lease))
    except* LeadershipLost:
        print("lost", flush=True)
    await kube.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
