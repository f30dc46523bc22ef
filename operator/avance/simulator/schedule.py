"""Random fault schedules: scenarios that a machine thinks of, the same ones for the same seed.

Everything that can break breaks, in any order, the operator included; then everything is mended, and the pair has to
come to rest with every VM running. What no rule can survive is left out: a BMC that lies about a server that nobody
can hear.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import yaml

from avance.simulator.world import BmcMode

CALM_BEFORE = 20
TROUBLE = 600
"""Seconds in which things break."""
HEALING = 1500
"""Seconds in which the pair has to come to rest afterwards."""

NODES = ("node-a", "node-b")
VMS = ("db", "web", "mail")
HONEST_BMCS = tuple(mode for mode in BmcMode if mode is not BmcMode.LIE_OFF)
KILL_POINTS = (
    "CloseNode", "PowerOff", "MarkOutOfService", "DeletePod", "ApplyVm", "StartVm", "CreateMigration",
    "ClearOutOfService", "PowerOn", "OpenNode",
)  # fmt: skip


def schedule(seed: int) -> str:
    """A scenario file."""
    random = Random(seed)
    document = {
        "shows": f"Random faults of seed {seed}: nothing unsafe meanwhile, and everything serves once they are mended.",
        "pair": {
            "lag": f"{random.choice((0.25, 0.25, 1, 3))} s",
            "placement": random.choice(("Consolidated", "Balanced")),
            "servers": [
                {
                    "name": name,
                    "memory": f"{random.choice((64, 64, 14))}Gi",
                    "boots in": f"{random.choice((5, 30, 90))} s",
                }
                for name in NODES
            ],
        },
        "vms": [
            {"name": name, "priority": random.choice(("High", "Medium", "Low")), "runs on": random.choice(NODES)}
            for name in VMS
        ],
        "when": [{f"{at} s": what} for at, what in sorted(_events(random))],
        "then": [{"at the end": ["everything serves", "nothing is under way"]}],
        "ends": f"{CALM_BEFORE + TROUBLE + HEALING} s",
    }
    return yaml.safe_dump(document, sort_keys=False, width=120)


def _events(random: Random) -> Iterator[tuple[int, str]]:
    end = CALM_BEFORE + TROUBLE
    for _ in range(random.randint(2, 12)):
        at = random.randint(CALM_BEFORE, end - 1)
        for delay, what in _trouble(random):
            yield min(at + delay, end - 1), what
    yield end, "everything is mended"


def _trouble(random: Random) -> list[tuple[int, str]]:
    """One thing that breaks and, often, is repaired after a while."""
    node, vm, other = random.choice(NODES), random.choice(VMS), random.choice(NODES)
    kill_point = random.choice(KILL_POINTS)
    after = random.choice((1, 3, 10, 20, 60, 200))
    return random.choice(
        (
            [(0, f"power supply PSU2 of {node} fails"), (after, f"power supply PSU2 of {node} is repaired")],
            [(0, f"fan FAN1 of {node} fails"), (after, f"fan FAN1 of {node} is repaired")],
            [(0, f"disk sdb of {node} fails"), (after, f"disk sdb of {node} is repaired")],
            [(0, f"{node} loses its power")],
            [(0, f"{node} loses its power"), (after, f"somebody switches {node} on")],
            [(0, f"{node} crashes")],
            [(0, f"{node} reboots")],
            [(0, f"the kubelet of {node} stops"), (after, f"the kubelet of {node} starts again")],
            [(0, f"virt-handler of {node} stops"), (after, f"virt-handler of {node} starts again")],
            [(0, "the private link is cut"), (after, "the private link is back")],
            [(0, f"{node} loses its public network"), (after, f"{node} has its public network again")],
            [(0, f"{node} loses the API"), (after, f"{node} reaches the API again")],
            [(0, f"{node} is cut off from everything"), (after, f"{node} is connected again")],
            [(0, "the API goes silent"), (after, "the API is back")],
            [(0, f"the BMC of {node} {random.choice(HONEST_BMCS)}"), (after, f"the BMC of {node} answers normally")],
            [(0, f"the guest of {vm} crashes")],
            [(0, f"the guest of {vm} shuts itself down")],
            [(0, f"from now on migrations of {vm} {random.choice(('fail', 'stall'))}"),
             (after, f"from now on migrations of {vm} succeed")],
            [(0, f"somebody says that {vm} shall not run"), (after, f"somebody says that {vm} shall run")],
            [(0, f"somebody evicts {vm}")],
            [(0, f"somebody force-deletes the pods of {vm}")],
            [(0, f"somebody cordons {node}"), (after, f"somebody uncordons {node}")],
            [(0, f"somebody asks to restart {vm}")],
            [(0, f"somebody asks to move {vm} to {other}")],
            [(0, "the operator is killed")],
            [(0, f"the operator will be killed {random.choice(('before', 'after'))} its next {kill_point}")],
        )
    )  # fmt: skip
