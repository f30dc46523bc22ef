"""Random fault schedules: scenarios that a machine thinks of, the same ones for the same seed.

Everything that can break breaks, in any order, the operator included; then everything is mended, and the pair has to
come to rest with every VM running. Trouble seldom comes alone: most schedules have bursts, in which several things
break within a minute and a half around a server's death, a move or a return, so that what is rare in life is not rare
here. What no rule can survive is left out: a BMC that says Off for a running server that nobody can hear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import yaml

from avance.simulator.world import BmcMode

CALM_BEFORE = 20
TROUBLE = 600
"""Seconds in which things break."""
HEALING = 1500
"""Seconds in which the pair has to come to rest afterwards."""
BURST = 90
"""Seconds in which the things of one burst break."""
MENDED = "everything is mended"

NODES = ("node-a", "node-b")
VMS = ("db", "web", "mail")
HONEST_BMCS = tuple(mode for mode in BmcMode if mode is not BmcMode.LIE_OFF)
MOMENTS = (
    "CloseNode", "PowerOff", "MarkOutOfService", "DeletePod", "ApplyVm", "StartVm", "CreateMigration",
    "ClearOutOfService", "PowerOn", "OpenNode", "StopVm", "DeleteMigration",
)  # fmt: skip
"""Effects at which the operator dies or stands still, or whose request is held up."""

Trouble = list[tuple[float, str]]
"""What happens, and how many seconds after the trouble begins."""
Cause = Callable[[Random, str, str, float], Trouble]
"""Makes a trouble of a node, a VM and how long it lasts."""


def schedule(seed: int) -> str:
    """A scenario file."""
    random = Random(seed)
    liar, replicated = random.random() < 0.1, random.random() < 0.5
    causes = CAUSES | DISK_CAUSES if replicated else CAUSES
    events = sorted(_events(random, _without_silence(causes) if liar else causes))
    if liar:
        # Believed by nobody as long as the other server hears that one.
        events.insert(0, (float(random.randint(1, CALM_BEFORE)), f"the BMC of node-a {BmcMode.LIE_OFF}"))
    document = {
        "shows": f"Random faults of seed {seed}: nothing unsafe meanwhile, and everything serves once they are mended.",
        "pair": {
            "lag": f"{random.choice((0.25, 0.25, 1, 3))} s",
            "storage": "replicated" if replicated else "shared",
            "resync": f"{random.choice((5, 60, 300))} s",
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
        "vms": [_vm(random, name) for name in VMS],
        "when": [{f"{at:g} s": what} for at, what in events],
        "then": [{"at the end": ["everything serves", "nothing is under way"]}],
        "ends": f"{CALM_BEFORE + TROUBLE + HEALING} s",
    }
    return yaml.safe_dump(document, sort_keys=False, width=120)


def _vm(random: Random, name: str) -> dict[str, object]:
    vm: dict[str, object] = {
        "name": name,
        "priority": random.choice(("High", "Medium", "Low")),
        "runs on": random.choice(NODES),
    }
    if random.random() < 0.5:
        vm["health check"] = {"patience": f"{random.choice((5, 30))} s", "boots in": "30 s"}
    if random.random() < 0.3:
        vm["depends on"] = random.choice(VMS)
    if random.random() < 0.2:
        vm["watchdog"] = random.choice(("Reset", "PowerOff"))
    return vm


def _events(random: Random, causes: dict[str, Cause]) -> Iterator[tuple[float, str]]:
    end = CALM_BEFORE + TROUBLE
    troubles = [(random.uniform(CALM_BEFORE, end), random.choice([*causes])) for _ in range(random.randint(0, 6))]
    for _ in range(random.choice((0, 1, 1, 2))):
        troubles += _burst(random, causes)
    for began, cause in troubles:
        lasts = random.choice((0.25, 1, 3, 7, 10, 15, 20, 60, 200))
        for delay, what in causes[cause](random, random.choice(NODES), random.choice(VMS), lasts):
            yield min(round((began + delay) * 4) / 4, end - 0.25), what
    yield end, MENDED


def _burst(random: Random, causes: dict[str, Cause]) -> Iterator[tuple[float, str]]:
    """Several things at nearly the same time, around one of those that make the operator act."""
    openings = [cause for cause in OPENINGS if cause in causes]
    began = random.uniform(CALM_BEFORE, CALM_BEFORE + TROUBLE - 2 * BURST)
    yield began, random.choice(openings)
    for _ in range(random.randint(2, 7)):
        company = random.choice([cause for cause in COMPANY if cause in causes] if random.random() < 0.7 else [*causes])
        yield began + random.choice((-5.0, 0.0, random.uniform(0, 20), random.uniform(0, BURST))), company


def _without_silence(causes: dict[str, Cause]) -> dict[str, Cause]:
    """Those after which both servers still hear each other, and which leave the BMC as it is."""
    return {name: cause for name, cause in causes.items() if name not in SILENCES}


def _pair_of(fails: str, mended: str) -> Cause:
    """Something that breaks and is repaired after a while."""

    def cause(random: Random, node: str, vm: str, lasts: float) -> Trouble:
        return [(0, fails.format(node=node, vm=vm)), (lasts, mended.format(node=node, vm=vm))]

    return cause


def _once(*sentences: str) -> Cause:
    def cause(random: Random, node: str, vm: str, lasts: float) -> Trouble:
        return [(0, random.choice(sentences).format(node=node, vm=vm))]

    return cause


def _bmc(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    return [(0, f"the BMC of {node} {random.choice(HONEST_BMCS)}"), (lasts, f"the BMC of {node} answers normally")]


def _bad_migrations(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    sentence = f"from now on migrations of {vm}"
    return [(0, f"{sentence} {random.choice(('fail', 'stall'))}"), (lasts, f"{sentence} succeed")]


def _flapping(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    part = random.choice(("power supply PSU2", "fan FAN1", "disk sdb"))
    states = ("fails", "is repaired")
    return [(at * lasts, f"{part} of {node} {states[at % 2]}") for at in range(6)]


def _moment(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    """The operator dies, or stands still for a while, at an effect."""
    when = f"{random.choice(('before', 'after'))} its next {random.choice(MOMENTS)}"
    if random.random() < 0.5:
        return [(0, f"the operator will be killed {when}")]
    return [(0, f"the operator will stand still {when}"), (lasts, "the operator that stood still goes on")]


def _held_up(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    return [(0, f"the next {random.choice(MOMENTS)} is held up for {lasts:g} s")]


def _late(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    sentence = "the operator sees everything {} s late"
    return [(0, sentence.format(random.choice((2, 5, 9)))), (lasts, sentence.format(0.25))]


def _node_clock(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    # A renewal that lands on the very microsecond of an earlier one is no fault that anybody has seen.
    jump = f"{random.choice((1, 30, 3600))}.07"
    return [(0, f"the clock of {node} jumps {jump} s {random.choice(('ahead', 'back'))}")]


def _operator_clock(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    """It differs from its predecessor's as far as NTP lets it, or by a minute where NTP has failed."""
    off = random.choice(("0.5", "1", "60"))
    sentence = f"the clock of the next operator is {off} s {random.choice(('ahead', 'behind'))}"
    return [(0, sentence), (1, "the operator is killed"), (lasts, "the clock of the next operator is 0 s ahead")]


def _both_flap(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    """Now one server is the healthier one, now the other."""
    fails = [(at * lasts, f"fan FAN{at} of {NODES[at % 2]} fails") for at in range(6)]
    return [*fails, *((at + 1.5 * lasts, what.replace("fails", "is repaired")) for at, what in fails)]


def _pause(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    whose = random.choice(("the pair", vm))
    end = "somebody ends the pause" + ("" if whose == "the pair" else f" of {vm}")
    return [(0, f"{whose} is paused until {random.choice((60, 300, 900))} s"), (lasts, end)]


def _attested(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    """A person sees that a server is off, and says so; they are right at that moment."""
    return [(0, f"{node} loses its power"), (lasts, f"somebody attests that {node} is off")] if lasts < 10 else []


def _maintenance(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    """Somebody works on a server, and most of them switch it off and on."""
    work = [(lasts, f"{node} loses its power"), (2 * lasts, f"somebody switches {node} on")]
    between = work if random.random() < 0.6 else []
    return [
        (0, f"somebody enters maintenance of {node}"),
        *between,
        (3 * lasts, f"somebody leaves maintenance of {node}"),
    ]


def _move(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    return [(0, f"somebody asks to move {vm} to {node}")]


def _upgrade(random: Random, node: str, vm: str, lasts: float) -> Trouble:
    """Of both servers, with pauses, and often not to its end; in the end nobody leaves it lying about."""
    begins = random.choice(("", " until the kubelet is another"))
    other = next(name for name in NODES if name != node)
    middle = random.choice(("pauses", "resumes", "aborts"))
    return [
        (0, f"somebody starts a rolling upgrade{begins}"),
        (lasts, f"the kubelet of {node} becomes v{random.randint(2, 9)}"),
        (lasts, f"somebody leaves maintenance of {node}"),
        (1.5 * lasts, f"somebody {middle} the upgrade"),
        (2 * lasts, f"somebody leaves maintenance of {other}"),
        (3 * lasts, "somebody resumes the upgrade"),
    ]


CAUSES: dict[str, Cause] = {
    "power supply": _pair_of("power supply PSU2 of {node} fails", "power supply PSU2 of {node} is repaired"),
    "fan": _pair_of("fan FAN1 of {node} fails", "fan FAN1 of {node} is repaired"),
    "disk": _pair_of("disk sdb of {node} fails", "disk sdb of {node} is repaired"),
    "kernel": _pair_of("kernel of {node} fails", "kernel of {node} is repaired"),
    "flapping part": _flapping,
    "both flap": _both_flap,
    "pause": _pause,
    "mode": _pair_of("somebody sets the mode to Observe", "somebody sets the mode to Automatic"),
    "shutdown": _once("{node} is shut down in order"),
    "attested": _attested,
    "no writes": _pair_of("the API answers no writes", "the API answers writes again"),
    "fencing entry": _pair_of("the fencing entry of {node} is removed", "the fencing entry of {node} is written again"),
    "wedged": _once("{node} loses its public network until it reboots", "disk sdb of {node} fails until it reboots"),
    "asked reboot": _once("somebody asks to reboot {node}"),
    "declared down": _pair_of("somebody declares {node} down", "somebody resets the MTBF of {node}"),
    "maintenance": _maintenance,
    "detectors": _pair_of("the detectors of {node} hang", "the detectors of {node} report again"),
    "deaf detector": _pair_of("the detector of {node} goes deaf", "the detector of {node} hears again"),
    "power": _once("{node} loses its power"),
    "power for a while": _pair_of("{node} loses its power", "somebody switches {node} on"),
    "crash": _once("{node} crashes"),
    "reboot": _once("{node} reboots"),
    "switched on": _once("somebody switches {node} on"),
    "kubelet": _pair_of("the kubelet of {node} stops", "the kubelet of {node} starts again"),
    "virt-handler": _pair_of("virt-handler of {node} stops", "virt-handler of {node} starts again"),
    "private link": _pair_of("the private link is cut", "the private link is back"),
    "public network": _pair_of("{node} loses its public network", "{node} has its public network again"),
    "API": _pair_of("{node} loses the API", "{node} reaches the API again"),
    "partition": _pair_of("{node} is cut off from everything", "{node} is connected again"),
    "API for both": _pair_of("the API goes silent", "the API is back"),
    "BMC": _bmc,
    "guest": _once("the guest of {vm} crashes", "the guest of {vm} shuts itself down"),
    "hung guest": _once("the guest of {vm} hangs", "the guest of {vm} panics"),
    "guest reboots": _once(
        "the guest of {vm} reboots, which takes 20 s", "the guest of {vm} reboots, which takes 200 s"
    ),
    "guest agent": _pair_of("the guest agent of {vm} stops", "the guest agent of {vm} starts again"),
    "snapshot": _pair_of("a snapshot of {vm} begins", "a snapshot of {vm} ends"),
    "paused guest": _pair_of("somebody pauses the guest of {vm}", "somebody resumes the guest of {vm}"),
    "edited spec": _once("somebody edits the spec of {vm}"),
    "boot trouble": _pair_of(
        "from now on the guest of {vm} crashes while it boots", "from now on the guest of {vm} boots normally"
    ),
    "migrations": _bad_migrations,
    "not migratable": _once("{vm} cannot be live-migrated any more"),
    "running": _pair_of("somebody says that {vm} shall not run", "somebody says that {vm} shall run"),
    "eviction": _once("somebody evicts {vm}"),
    "forced deletion": _once("somebody force-deletes the pods of {vm}"),
    "cordon": _pair_of("somebody cordons {node}", "somebody uncordons {node}"),
    "drain": _pair_of("somebody drains {node}", "somebody uncordons {node}"),
    "drain given up": _pair_of("somebody drains {node}", "somebody gives up draining {node}"),
    "rolling upgrade": _upgrade,
    "asked restart": _once("somebody asks to restart {vm}"),
    "asked move": _move,
    "operator killed": _once("the operator is killed"),
    "operator stopped": _pair_of("the operator is stopped", "the operator is started again"),
    "operator stands still": _pair_of("the operator stands still", "the operator that stood still goes on"),
    "operator at an effect": _moment,
    "operator at a record": _once(
        "the operator will be killed when it records a Fence",
        "the operator will be killed when it records a ColdRestart",
        "the operator will be killed when it records a Rejoin",
        "the operator will be killed when it records a Migrate",
    ),
    "operator without API": _pair_of("the operator loses the API", "the operator reaches the API again"),
    "operator sees late": _late,
    "held up": _held_up,
    "clock of a node": _node_clock,
    "clock of the operator": _operator_clock,
}
DISK_CAUSES: dict[str, Cause] = {
    "disk lost": _once("the disk of {node} is lost"),
    "disk swapped": _pair_of("the disk of {node} is lost", "the disk of {node} has been replaced by an empty one"),
    "empty disks": _once("{node} has been replaced with empty disks"),
    "split volume": _once("a volume of {vm} splits"),
    "storage silent": _pair_of("the storage cannot be asked", "the storage can be asked again"),
}
"""What can break beside that where disks are replicated."""
OPENINGS = (
    "power", "crash", "reboot", "partition", "API", "kubelet", "power supply", "private link", "maintenance",
    "rolling upgrade",
)  # fmt: skip
"""What makes the operator act."""
COMPANY = (
    "BMC", "power", "crash", "reboot", "switched on", "power for a while", "partition", "API", "API for both",
    "kubelet", "private link", "public network", "forced deletion", "operator killed", "operator stands still",
    "operator at an effect", "operator at a record", "operator without API", "operator sees late", "held up",
    "deaf detector", "detectors", "virt-handler", "pause", "mode", "attested",
    "no writes", "shutdown", "asked restart", "running", "guest", "hung guest", "maintenance",
    "drain", "rolling upgrade",
    *DISK_CAUSES,
)  # fmt: skip
"""What makes that difficult."""
SILENCES = {
    "BMC", "private link", "public network", "partition", "deaf detector", "detectors", "power", "power for a while",
    "crash", "reboot", "switched on", "shutdown", "attested", "maintenance", "rolling upgrade",
}  # fmt: skip
