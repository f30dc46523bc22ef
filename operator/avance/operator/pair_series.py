"""What the gauges of a pair read: all that dashboards and alerts ask of it, from the view and the report of one look.

Only the leader looks at pairs, so only it has these series. What cannot be told is -1 or absent, never a good value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from avance.core.condition import BAD_WHEN_TRUE, Condition
from avance.core.ledger import PLANNED, UNPLANNED, year_so_far
from avance.core.maintenance import is_the_work
from avance.core.model import ActionPhase, ActionType, ActionView, NodeView, PairView, VmView
from avance.core.node_report import NodeReport
from avance.core.phase_times import measure
from avance.core.report import PairReport, VmReport
from avance.core.storage import DiskState, ReplicaView, StorageView

_MOVES_COUNT_SECONDS = 3600.0
_VALUE = {True: 1.0, False: 0.0, None: -1.0}


@dataclass(frozen=True, slots=True)
class Kind:
    """A gauge: its name without the prefix, what it means, its labels."""

    name: str
    meaning: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    kind: Kind
    labels: tuple[str, ...]
    value: float


_NODE, _VM = ("pair", "node"), ("pair", "namespace", "vm")

PAIR_INFO = Kind(
    "pair_info", "Always 1; the mode and the node that holds more VMs are labels", ("pair", "mode", "primary")
)
PAIR_CONDITION = Kind("pair_condition", "Condition of a pair: 1 true, 0 false, -1 unknown", ("pair", "type"))
PAIR_REASON = Kind(
    "pair_condition_reason",
    "1 for the reason of each condition of a pair that is not as it should be; absent while all is well",
    ("pair", "type", "reason"),
)
PAIR_LOOKED_AT = Kind("pair_last_look_timestamp_seconds", "When the pair was last looked at to the end", ("pair",))
PAIR_MAX_VMS = Kind("pair_max_vms", "How many VMs the pair protects at most", ("pair",))
OPEN_ACTIONS = Kind("open_actions", "Actions under way, by type", ("pair", "type"))
PHASE_LAST = Kind(
    "phase_last_seconds",
    "How long a phase of a failover took when it was last measured on this pair",
    ("pair", "phase"),
)
PHASE_LONGEST = Kind(
    "phase_longest_seconds", "The longest that a phase took, of the actions that are kept", ("pair", "phase")
)
NODE_SCORE = Kind("node_health_score", "Health of a node, 0 to 100; 100 is no fault, 0 is gone", _NODE)
NODE_STATE = Kind("node_state", "1 for the state that a node is in", (*_NODE, "state"))
NODE_FAULTS = Kind("node_faults", "Faults that are there now; absent without one", (*_NODE, "kind", "severity"))
NODE_FAILED = Kind(
    "node_mtbf_exceeded_components",
    "Components that have failed so often that they are not trusted any more; absent without one",
    (*_NODE, "kind"),
)
FENCE_PATH = Kind("node_fence_path", "Whether the node could be fenced now: 1 yes, 0 no, -1 cannot tell", _NODE)
FENCE_CHECKED = Kind(
    "node_fence_check_timestamp_seconds", "When the BMC last gave an answer or failed to; absent before that", _NODE
)
FENCE_WAITING = Kind(
    "fence_waiting_seconds", "How long a server held to be dead has not been proven off; 0 is none", _NODE
)
VM_INFO = Kind("vm_info", "Always 1; where the VM is and what it does are labels", (*_VM, "phase", "primary", "backup"))
VM_SHALL_RUN = Kind("vm_shall_run", "1 if the spec of the VM says that it shall run, else 0", _VM)
VM_CONDITION = Kind("vm_condition", "Condition of a protected VM: 1 true, 0 false, -1 unknown", (*_VM, "type"))
VM_REASON = Kind(
    "vm_condition_reason",
    "1 for the reason of each condition of a VM that is not as it should be; absent while all is well",
    (*_VM, "type", "reason"),
)
VM_DOWN_SINCE = Kind(
    "vm_down_since_timestamp_seconds", "Since when the VM is down though it shall run; absent while it runs", _VM
)
VM_DOWNTIME = Kind(
    "vm_downtime_seconds",
    "How long the VM was down this year (UTC) though it should have run; kind is planned (asked for) or unplanned",
    (*_VM, "kind"),
)
VM_AVAILABILITY = Kind(
    "vm_availability_ratio", "What part of this year's time the VM ran, 0 to 1; planned downtime does not count", _VM
)
VM_FAILED_MOVES = Kind(
    "vm_failed_moves", "Moves of the VM that failed within the last hour, and none succeeded since", _VM
)
VM_FAILOVER_AT = Kind(
    "vm_last_failover_timestamp_seconds", "When the VM was last moved or restarted; absent if never", (*_VM, "kind")
)
VM_FAILOVER_SECONDS = Kind("vm_last_failover_seconds", "How long that took", (*_VM, "kind"))
VM_COPIES = Kind(
    "vm_up_to_date_copies", "Nodes that hold a good copy of all disks; absent if it is shared or cannot be told", _VM
)
VM_SPLIT = Kind("vm_disks_split", "1 if copies of a disk were written apart from each other (split brain)", _VM)
RESYNC_PERCENT = Kind(
    "vm_resync_percent",
    "How far the copy on a node is resynchronised, by its slowest disk; absent if it is not",
    (*_VM, "node"),
)
RESYNC_LEFT = Kind("vm_resync_left_seconds", "Until it is, estimated; absent where that cannot be told", (*_VM, "node"))

KINDS = tuple(each for each in list(globals().values()) if isinstance(each, Kind))
"""All of them, in the order of this page."""


def pair_series(view: PairView, told: PairReport, now: float) -> Iterator[Sample]:
    """Every sample of one pair."""
    yield Sample(PAIR_INFO, (view.name, str(view.policy.mode), told.primary), 1)
    yield from _conditions(PAIR_CONDITION, PAIR_REASON, (view.name,), told.conditions)
    yield Sample(PAIR_LOOKED_AT, (view.name,), now)
    yield Sample(PAIR_MAX_VMS, (view.name,), view.policy.limits.max_vms)
    for type_, count in Counter(str(action.type) for action in view.actions if action.open).items():
        yield Sample(OPEN_ACTIONS, (view.name, type_), count)
    for time in measure(view.actions):
        yield Sample(PHASE_LAST, (view.name, str(time.phase)), time.last)
        yield Sample(PHASE_LONGEST, (view.name, str(time.phase)), time.longest)
    for node in told.nodes:
        yield from _node(view, node)
    failed_moves = _failed_moves(view.actions, now)
    for vm in told.vms:
        yield from _vm(view, vm, failed_moves[vm.key], now)


def _conditions(
    value: Kind, reason: Kind, labels: tuple[str, ...], conditions: Iterable[Condition]
) -> Iterator[Sample]:
    for condition in conditions:
        yield Sample(value, (*labels, condition.type), _VALUE[condition.holds])
        good = condition.type not in BAD_WHEN_TRUE
        if condition.holds is not good:
            yield Sample(reason, (*labels, condition.type, condition.reason), 1)


def _node(view: PairView, told: NodeReport) -> Iterator[Sample]:
    labels, node = (view.name, told.name), view.node(told.name)
    yield Sample(NODE_SCORE, labels, told.score.value)
    yield Sample(NODE_STATE, (*labels, told.state), 1)
    yield Sample(FENCE_PATH, labels, _VALUE[told.fence_path.holds])
    yield Sample(FENCE_WAITING, labels, told.unproven_seconds)
    if node is not None:
        yield from _faults(labels, view, node)


def _faults(labels: tuple[str, ...], view: PairView, node: NodeView) -> Iterator[Sample]:
    """Not what a person does to a server in maintenance."""
    faults = [each for each in node.faults if not is_the_work(view, each)]
    for (kind, severity), count in Counter((str(each.kind), str(each.severity)) for each in faults).items():
        yield Sample(NODE_FAULTS, (*labels, kind, severity), count)
    failed = (str(each.kind) for each in node.history.components if each.failed_since is not None)
    for kind, count in Counter(failed).items():
        yield Sample(NODE_FAILED, (*labels, kind), count)
    if node.power is not None:
        yield Sample(FENCE_CHECKED, labels, node.power.observed_at)


def _vm(view: PairView, told: VmReport, failed_moves: int, now: float) -> Iterator[Sample]:
    labels, vm = (view.name, *told.key.split("/")), view.vm(told.key)
    yield Sample(VM_INFO, (*labels, told.phase, told.primary, told.backup), 1)
    yield from _conditions(VM_CONDITION, VM_REASON, labels, told.conditions)
    yield Sample(VM_FAILED_MOVES, labels, failed_moves)
    if told.outage is not None:
        yield Sample(VM_DOWN_SINCE, labels, told.outage.since)
    if told.last_failover is not None:
        yield Sample(VM_FAILOVER_AT, (*labels, told.last_failover.kind), told.last_failover.at)
        yield Sample(VM_FAILOVER_SECONDS, (*labels, told.last_failover.kind), told.last_failover.seconds)
    if vm is not None:
        yield Sample(VM_SHALL_RUN, labels, float(vm.should_run))
        yield from _availability(labels, vm, told, now)
        if vm.storage is not None:
            yield from _disks(labels, view, vm.storage)


def _availability(labels: tuple[str, ...], vm: VmView, told: VmReport, now: float) -> Iterator[Sample]:
    since, planned = (told.outage.since, told.outage.planned) if told.outage else (None, False)
    so_far = year_so_far(vm.ledger, vm.created_at, since, planned, now)
    yield Sample(VM_DOWNTIME, (*labels, PLANNED), so_far.planned)
    yield Sample(VM_DOWNTIME, (*labels, UNPLANNED), so_far.unplanned)
    yield Sample(VM_AVAILABILITY, labels, so_far.share)


def _disks(labels: tuple[str, ...], view: PairView, storage: StorageView) -> Iterator[Sample]:
    yield Sample(VM_SPLIT, labels, float(bool(storage.split)))
    if storage.error or not storage.volumes:
        return
    good = sum(storage.state_on(node.name) is DiskState.UP_TO_DATE for node in view.nodes)
    yield Sample(VM_COPIES, labels, good)
    for node in view.nodes:
        copies = [copy for volume in storage.volumes if (copy := volume.on(node.name)).syncing]
        yield from _resync((*labels, node.name), copies)


def _resync(labels: tuple[str, ...], copies: list[ReplicaView]) -> Iterator[Sample]:
    percents = [copy.sync_percent for copy in copies if copy.sync_percent is not None]
    if percents:
        yield Sample(RESYNC_PERCENT, labels, min(percents))
    left = [copy.seconds_left for copy in copies if copy.seconds_left is not None]
    if left and len(left) == len(copies):
        yield Sample(RESYNC_LEFT, labels, max(left))


def _failed_moves(actions: Iterable[ActionView], now: float) -> Counter[str]:
    """By VM; the actions are in the order of their making."""
    failed: Counter[str] = Counter()
    for action in actions:
        if action.type is not ActionType.MIGRATE:
            continue
        if action.phase is ActionPhase.SUCCEEDED:
            failed[action.target] = 0
        elif action.phase is ActionPhase.FAILED and (action.finished_at or 0.0) > now - _MOVES_COUNT_SECONDS:
            failed[action.target] += 1
    return failed
