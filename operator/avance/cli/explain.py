"""`avance explain VM|NODE`: why it is where and as it is, with the arithmetic, and what would change that."""

from __future__ import annotations

import argparse
import json
import sys
from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from avance.cli import options
from avance.cli.exits import MEANING, OK, USAGE, Failure
from avance.cli.looking import look
from avance.cli.story import entry_line
from avance.cli.terminal import STRONG, Paint, one_line, paint
from avance.core.condition import BAD_WHEN_TRUE
from avance.core.explanation import explain_node, explain_vm
from avance.core.model import NodeView, PairView, VmView
from avance.core.remember import remember
from avance.operator.export import entry

if TYPE_CHECKING:
    from avance.operator.glimpse import Glimpse

Section = tuple[str, list[str]]


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "explain",
        help="why a VM is where it is, or why a node is rated as it is, and what would change that",
        description="Why a VM is where it is and what would move it, or why a node is rated as it is; and what was\n"
        "done about it last.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", metavar="VM|NODE", help="name of a ProtectedVM (NAMESPACE/NAME or NAME) or of a node")
    parser.add_argument("--last", type=int, default=5, metavar="N", help="how many of its actions (default: 5)")
    options.pair(parser)
    options.cluster(parser)
    options.output(parser)
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    told = explanation(look(chosen, chosen.what), chosen.what, max(0, chosen.last))
    sys.stdout.write(json.dumps(told) + "\n" if chosen.output == "json" else as_text(told, paint()))
    return OK


def explanation(seen: Glimpse, what: str, last: int) -> dict[str, Any]:
    """Everything that is told of a VM or node. Raises Failure when there is none, or several, of that name."""
    view = remember(seen.view, seen.seen_at)
    subject = _subject(view, what)
    key = subject.key if isinstance(subject, VmView) else subject.name
    actions = [action for action in view.actions if action.target == key]
    # Of a list, [-0:] would be all of it.
    done = [entry(action, view.name) for action in actions[len(actions) - min(last, len(actions)) :]]
    common = {"pair": view.name, "nobodyActs": seen.nobody_acts, "actions": done}
    return {**_about(seen, view, subject), **common}


def _subject(view: PairView, what: str) -> VmView | NodeView:
    found = [vm for vm in (*view.vms, *view.candidates) if what in (vm.key, vm.name)]
    node = view.node(what)
    if node is not None and not found:
        return node
    if len(found) == 1 and node is None:
        return found[0]
    if not found:
        names = ", ".join([*(each.name for each in view.nodes), *(vm.key for vm in view.vms)])
        raise Failure(f"pair {view.name} has no node and no VM {what}; it has: {names}", USAGE)
    names = " or ".join([*(vm.key for vm in found), *([f"the node {what}"] if node else [])])
    raise Failure(f"{what} can be {names}: write a VM as NAMESPACE/NAME", USAGE)


def _about(seen: Glimpse, view: PairView, subject: VmView | NodeView) -> dict[str, Any]:
    if isinstance(subject, NodeView):
        known = next((node for node in seen.pair.status.nodes if node.name == subject.name), None)
        state = {"state": known.state if known else "Unknown", "score": known.explanation if known else ""}
        return {"node": subject.name, **state, **_fields(explain_node(view, subject, seen.seen_at))}
    status = seen.vms[subject.key].status
    conditions = [
        {"type": each.type, "status": each.status, "message": each.message}
        for each in status.conditions
        if each.status != ("False" if each.type in BAD_WHEN_TRUE else "True")
    ]
    place = {"phase": status.phase or "Unknown", "primary": status.primary or "", "backup": status.backup or ""}
    told = _fields(explain_vm(view, subject, seen.seen_at))
    return {"vm": subject.key, **place, **told, "conditions": conditions}


def _fields(told: Any) -> dict[str, Any]:
    names = {"why_here": "whyHere", "would_move": "wouldMove"}
    return {names.get(name, name): value for name, value in asdict(told).items()}


def as_text(told: dict[str, Any], paint: Paint) -> str:
    """Sections with a heading each; empty ones say so or are left out."""
    head, sections = _node(told, paint) if "node" in told else _vm(told, paint)
    lines = [head, *([f"Nobody acts: {told['nobodyActs']}"] if told["nobodyActs"] else [])]
    done = [entry_line(action) for action in told["actions"]]
    for title, sentences in [*sections, ("Last actions on it:", done or ["none on record"])]:
        lines += ["", title, *(f"  {one_line(sentence)}" for sentence in sentences)] if sentences else []
    return "\n".join(lines) + "\n"


def _vm(told: dict[str, Any], paint: Paint) -> tuple[str, list[Section]]:
    where = f"on {told['primary']}, backup {told['backup']}" if told["primary"] else "on no server"
    conditions = [f"{each['type']} is {each['status']}: {each['message']}" for each in told["conditions"]]
    return f"{paint(told['vm'], STRONG)}  {told['phase']} {where}", [
        ("Why it is there:", [told["whyHere"]]),
        ("Scores:", list(told["scores"])),
        ("What would move it:", list(told["wouldMove"])),
        ("What keeps it there:", list(told["keeps"]) or ["nothing"]),
        ("What is wanting:", conditions),
    ]


def _node(told: dict[str, Any], paint: Paint) -> tuple[str, list[Section]]:
    return f"{paint(told['node'], STRONG)}  {told['state']}, score {told['score'] or 'unknown'}", [
        ("Faults:", list(told["faults"]) or ["none"]),
        ("What it is remembered for:", list(told["history"])),
        ("Primary of:", list(told["holds"]) or ["no VM"]),
        ("Stay on it though the other server is healthier:", list(told["stays"])),
        ("A crash of it now:", list(told["crash"]) or ["would be survived"]),
    ]
