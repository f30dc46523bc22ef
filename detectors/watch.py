"""`python -m detectors.watch`: what must be known within a second or two, probed and reported all the time.

The two ways to the peer are probed several times a second; replicated storage, where there is any, every other second.
node-problem-detector is not used for these: see docs/detectors.md.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from detectors.echo import Echo
from detectors.finding import Finding, Verdict, conclude
from detectors.host import Host
from detectors.kinds import PEER, PRIVATE_LINK, REPLICA_STORAGE
from detectors.node_status import Access, ApiError, NodeStatus
from detectors.peer import Way, peer_finding, private_link_finding
from detectors.plugin import SETTINGS
from detectors.public_network import carries
from detectors.replica_storage import faults as replica_faults
from detectors.reporter import Reporter
from detectors.settings import Peer, SettingsError, load

_STORAGE_EVERY = 2.0
_STORAGE_BUDGET = 5.0
_LOG = logging.getLogger("detectors.watch")


class LinkWatch:
    """Probes both ways to the peer and tells the reporter."""

    def __init__(self, host: Host, peer: Peer, reporter: Reporter) -> None:
        self._host = host
        self._peer = peer
        self._reporter = reporter
        self._private = Echo(peer.private_address, peer.private_interface)
        self._public = Echo(peer.public_address)
        self._interface_seen = False

    async def run(self) -> None:
        """Until it is cancelled."""
        limits = self._host.settings.limits
        try:
            while True:
                for echo in (self._private, self._public):
                    echo.probe()
                await asyncio.sleep(limits.probe_seconds)
                self._judge(limits.missed_probes)
        finally:
            self._private.close()
            self._public.close()

    def _judge(self, missed_probes: int) -> None:
        private = self._private_way()
        public = Way("public network", self._public.unanswered, trouble=self._public.trouble)
        findings = {
            PRIVATE_LINK: private_link_finding(self._peer.name, private, missed_probes),
            PEER: peer_finding(self._peer.name, (private, public), missed_probes),
        }
        for kind, finding in findings.items():
            if finding is not None:
                self._reporter.tell(kind, finding)

    def _private_way(self) -> Way:
        name = self._peer.private_interface
        there = (self._host.root / "sys/class/net" / name).exists()
        self._interface_seen |= there
        trouble = self._private.trouble
        if not there and not self._interface_seen:
            trouble = f"there is no interface {name}, correct detectors.pairs, or look for a dead card"
        carrier = carries(self._host, name) if self._interface_seen else None
        return Way("private link", self._private.unanswered, carrier, trouble)


async def watch_storage(host: Host, reporter: Reporter) -> None:
    """Asks the replicated storage again and again, until it is cancelled."""
    while True:
        asked = replace(host, deadline=time.monotonic() + _STORAGE_BUDGET)
        finding = await asyncio.to_thread(conclude, partial(replica_faults, asked), REPLICA_STORAGE.healthy_message)
        reporter.tell(REPLICA_STORAGE, finding)
        await asyncio.sleep(_STORAGE_EVERY)


async def watch(host: Host, reporter: Reporter) -> None:
    """Until SIGTERM or SIGINT; the last word is that nobody looks any more. Raises what a watch stumbles over."""
    stopped = asyncio.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(ending, stopped.set)
    tasks = [asyncio.create_task(reporter.run()), asyncio.create_task(stopped.wait())]
    peer = host.settings.peer
    if peer is None:
        doubt = Finding(Verdict.UNKNOWN, f"{host.settings.node} has no peer: name both nodes in detectors.pairs")
        for kind in (PEER, PRIVATE_LINK):
            reporter.tell(kind, doubt)
    else:
        tasks.append(asyncio.create_task(LinkWatch(host, peer, reporter).run()))
    if host.settings.replica_storage:
        tasks.append(asyncio.create_task(watch_storage(host, reporter)))
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await reporter.retire()
    for task in done:
        task.result()


def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Returns its exit code."""
    parser = argparse.ArgumentParser(prog="detectors.watch", description=__doc__)
    parser.add_argument("--node", default=os.environ.get("NODE_NAME", ""), help="this node (default: $NODE_NAME)")
    parser.add_argument("--settings", type=Path, default=Path(SETTINGS), help="default: %(default)s")
    parser.add_argument("--api-server", help="address of the API server (default: that of the pod's cluster)")
    parser.add_argument("--token", type=Path, help="file with a token for --api-server")
    parser.add_argument("--certificate-authority", type=Path, help="file with the authority of --api-server")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        if not chosen.node:
            raise SettingsError("which node is this? Say --node or set NODE_NAME")
        settings = load(chosen.settings, chosen.node)
        access = (
            Access(chosen.api_server, chosen.token, chosen.certificate_authority)
            if chosen.api_server
            else Access.of_this_pod()
        )
    except (SettingsError, ApiError) as error:
        _LOG.error("%s", error)
        return 1

    async def run() -> None:
        await watch(Host(settings), Reporter(NodeStatus(access, chosen.node)))

    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
