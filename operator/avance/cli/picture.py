"""The single-system picture of a pair, from what its operator has on record; as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from avance.api.meta import Condition
from avance.api.node_status import NodeStatus
from avance.api.pair import VMStatus
from avance.api.protected_vm import ProtectedVM
from avance.cli.terminal import BAD, DOUBTFUL, GOOD, STRONG, Paint, length, one_line, table
from avance.core.condition import BAD_WHEN_TRUE
from avance.core.fitness import why_not_serve
from avance.core.model import ActionView
from avance.core.moments import clock_time, day_and_clock
from avance.operator.glimpse import Glimpse

QUESTIONS = ("Ready", "Redundant", "FailoverReady")
"""What has to hold for all to be well."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A condition as the operator has it on record."""

    type: str
    status: str
    reason: str
    message: str

    @property
    def as_it_should_be(self) -> bool:
        return self.status == ("False" if self.type in BAD_WHEN_TRUE else "True")


@dataclass(frozen=True, slots=True)
class NodeLine:
    name: str
    state: str
    score: int | None
    why: str


@dataclass(frozen=True, slots=True)
class VmLine:
    vm: str
    phase: str
    node: str
    backup: str
    protected: bool
    why: str
    """Why it is not protected, or does not run."""


@dataclass(frozen=True, slots=True)
class ActionLine:
    name: str
    type: str
    target: str
    destination: str
    step: str
    seconds: float
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Picture:
    pair: str
    seen_at: float
    mode: str
    paused: str
    """Until when and why; empty if it is not."""
    nobody_acts: str
    """Why no operator looks after the pair now, so that all of this may be old; empty if one does."""
    answers: tuple[Answer, ...]
    nodes: tuple[NodeLine, ...]
    vms: tuple[VmLine, ...]
    under_way: tuple[ActionLine, ...]
    would_do: tuple[str, ...]

    @property
    def well(self) -> bool:
        """Nothing is wanting."""
        held = {answer.type for answer in self.answers if answer.status == "True"}
        return not self.nobody_acts and held.issuperset(QUESTIONS)


def picture(seen: Glimpse) -> Picture:
    """What is to be shown of one look."""
    spec, status = seen.pair.spec, seen.pair.status
    pause = spec.pause
    told = {condition.type: condition for condition in status.conditions}
    paused = pause is not None and pause.until.timestamp() > seen.seen_at
    return Picture(
        pair=seen.pair.metadata.name,
        seen_at=seen.seen_at,
        mode=spec.mode,
        paused=f"until {day_and_clock(pause.until.timestamp())}: {pause.reason}" if pause and paused else "",
        nobody_acts=seen.nobody_acts,
        answers=tuple(_answers(told)),
        nodes=tuple(_node(seen, node) for node in status.nodes),
        vms=tuple(_vm(vm, seen.vms.get(f"{vm.namespace}/{vm.name}")) for vm in status.vms),
        under_way=tuple(_action(action, seen.seen_at) for action in seen.view.actions if action.open),
        would_do=tuple(status.would_do),
    )


def _answers(told: dict[str, Condition]) -> Iterator[Answer]:
    for type_ in QUESTIONS:
        if type_ not in told:
            yield Answer(type_, "Unknown", "NotLookedAt", "no operator has looked at this pair yet")
    for type_ in [*(one for one in QUESTIONS if one in told), *(one for one in told if one not in QUESTIONS)]:
        yield Answer(type_, told[type_].status, told[type_].reason, told[type_].message)


def _node(seen: Glimpse, node: NodeStatus) -> NodeLine:
    viewed = seen.view.node(node.name)
    reasons = [] if node.state == "Maintenance" else [node.explanation]
    if viewed is not None:
        reasons.append(why_not_serve(seen.view, viewed, seen.seen_at))
    path = node.fence.path if node.fence else None
    if path is not None and path.state == "Failed":
        reasons.append(path.message)
    return NodeLine(node.name, node.state, node.score, "; ".join(filter(None, reasons)))


def _vm(vm: VMStatus, known: ProtectedVM | None) -> VmLine:
    told = {condition.type: condition for condition in (known.status.conditions if known else ())}
    at_risk = told.get("Protected")
    why = at_risk.message if at_risk is not None and at_risk.status != "True" else ""
    name = f"{vm.namespace}/{vm.name}"
    return VmLine(name, vm.phase or "Unknown", vm.primary or "", vm.backup or "", vm.protected, why)


def _action(action: ActionView, now: float) -> ActionLine:
    step = action.step
    seconds = max(0.0, now - action.created_at)
    message = (step.message if step else "") or action.message
    return ActionLine(
        action.name, action.type, action.target, action.destination, action.current, seconds, action.reason, message
    )


def as_json(shown: Picture) -> str:
    """One line; times are seconds since the epoch."""
    fields = {_camel(name): value for name, value in asdict(shown).items()}
    return json.dumps({"well": shown.well, **fields}) + "\n"


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def as_text(shown: Picture, paint: Paint) -> str:
    """One screen."""
    head = f"Pair {paint(shown.pair, STRONG)}   {shown.mode}, {'PAUSED' if shown.paused else 'not paused'}"
    lines = [f"{head}   seen {clock_time(shown.seen_at)}"]
    lines += [paint(f"PAUSED {shown.paused}", DOUBTFUL)] if shown.paused else []
    if shown.nobody_acts:
        lines += [paint(f"NOBODY ACTS: {shown.nobody_acts}; what follows may be old", BAD)]
    lines += ["", *table([_answer(answer, paint) for answer in shown.answers if _worth_telling(answer)])]
    if shown.nodes:
        rows = [(node.name, _state(node, paint), _score(node), one_line(node.why)) for node in shown.nodes]
        lines += ["", *table([("NODE", "STATE", "SCORE", "WHY"), *rows])]
    if shown.vms:
        lines += ["", *table([("VM", "PHASE", "ON", "BACKUP", "PROTECTED"), *(_vm_row(vm, paint) for vm in shown.vms)])]
    lines += ["", "Under way:" if shown.under_way else "Nothing is under way.", *_actions(shown)]
    lines += (
        ["", "Would be done now:", *(f"  {one_line(sentence)}" for sentence in shown.would_do)]
        if shown.would_do
        else []
    )
    return "\n".join(lines) + "\n"


def _worth_telling(answer: Answer) -> bool:
    return answer.type in QUESTIONS or not answer.as_it_should_be


def _answer(answer: Answer, paint: Paint) -> tuple[str, str, str]:
    words = {"True": "yes", "False": "NO", "Unknown": "UNKNOWN"}
    colour = GOOD if answer.as_it_should_be else DOUBTFUL if answer.status == "Unknown" else BAD
    return answer.type, paint(words[answer.status], colour), one_line(answer.message)


def _state(node: NodeLine, paint: Paint) -> str:
    in_between = ("Degraded", "Draining", "Maintenance")
    return paint(node.state, GOOD if node.state == "InService" else DOUBTFUL if node.state in in_between else BAD)


def _score(node: NodeLine) -> str:
    return "-" if node.score is None else str(node.score)


def _vm_row(vm: VmLine, paint: Paint) -> tuple[str, str, str, str, str]:
    phase = paint(vm.phase, {"Running": GOOD, "Stopped": STRONG, "Failed": BAD, "Unknown": BAD}.get(vm.phase, DOUBTFUL))
    protected = paint("yes", GOOD) if vm.protected else f"{paint('NO', BAD)}: {one_line(vm.why)}".removesuffix(": ")
    return vm.vm, phase, vm.node or "-", vm.backup or "-", protected


def _actions(shown: Picture) -> list[str]:
    rows = [
        (
            f"  {line.type} {line.target}" + (f" to {line.destination}" if line.destination else ""),
            line.step or "Pending",
            length(line.seconds),
            one_line(f"{line.reason}: {line.message}"),
        )
        for line in shown.under_way
    ]
    return table(rows) if rows else []
