"""`avance log`: all that was done, by whom, why, and how long each step took."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from avance.cli import options
from avance.cli.exits import MEANING, OK, USAGE, Failure
from avance.cli.looking import look
from avance.cli.story import by, is_operator
from avance.cli.terminal import BAD, DOUBTFUL, GOOD, STRONG, Paint, length, one_line, paint
from avance.core.model import ActionType, ActionView, PairView
from avance.core.moments import day_and_clock
from avance.operator.clock import from_api
from avance.operator.export import entry


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "log",
        help="all that was done, oldest first: by whom, why, how long each step took",
        description="The AvanceActions of a pair, oldest first. With -o json, one line of JSON an action: an export.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--vm", default="", metavar="VM", help="only what was done to this VM (NAMESPACE/NAME or NAME)")
    parser.add_argument("--node", default="", metavar="NODE", help="only what was done to it, or moved VMs to it")
    parser.add_argument(
        "--type", action="append", choices=list(ActionType), default=[], help="only this type (again: or that)"
    )
    parser.add_argument(
        "--by", default="", metavar="USER", help="only what this user asked for or edited, or: operator"
    )
    parser.add_argument("--incident", default="", metavar="NAME", help="only what belongs to this incident")
    parser.add_argument(
        "--since", type=moment, metavar="TIME", help="only from then on: 90m, 2d, or 2026-05-01T09:00:00Z"
    )
    options.pair(parser)
    options.cluster(parser)
    parser.add_argument(
        *("-o", "--output"),
        choices=("text", "json", "jsonl"),
        default="text",
        help="json or jsonl: an export, one line of JSON an action (default: text)",
    )
    parser.set_defaults(run=_run)


def moment(text: str) -> float:
    """Seconds since the epoch of a time, or of so long ago; argparse turns the error into a usage message."""
    if re.fullmatch(r"(\d+[smhd])+", text):
        return time.time() - options.duration(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no time: write how long ago, such as 90m or 2d, or a time with its zone, such as "
            "2026-05-01T09:00:00Z"
        )
    return at.timestamp()


def _run(chosen: Namespace) -> int:
    view = look(chosen, chosen.vm or chosen.node).view
    found = chosen_actions(view, chosen.vm, chosen.node, chosen.since)
    wanted = Wanted(frozenset(chosen.type), chosen.by, chosen.incident)
    entries = [entry(action, view.name) for action in found if wanted.has(action)]
    if chosen.output != "text":
        sys.stdout.writelines(f"{json.dumps(entry)}\n" for entry in entries)
    else:
        sys.stdout.writelines(f"{line}\n" for line in as_lines(entries, paint()))
    return OK


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which actions are asked for, whatever they were done to; what is empty asks for all."""

    types: frozenset[str] = frozenset()
    by: str = ""
    incident: str = ""

    def has(self, action: ActionView) -> bool:
        """It is one of them."""
        users = {action.requested_by, *(["operator"] if is_operator(action.requested_by) else [])}
        return (
            (not self.types or action.type in self.types)
            and (not self.by or self.by in users)
            and (not self.incident or self.incident == action.incident)
        )


def chosen_actions(view: PairView, vm: str, node: str, since: float | None) -> list[ActionView]:
    """The actions that are asked for; raises Failure for a node that the pair never had anything to do with."""
    targets = {action.target for action in view.actions}
    if vm and not any(_names(vm, key) for key in [*targets, *(each.key for each in view.vms)]):
        raise Failure(f"pair {view.name} has no VM {vm}, and no action on record is about one", USAGE)
    if node and view.node(node) is None and node not in targets:
        raise Failure(f"pair {view.name} has no node {node}, and no action on record is about one", USAGE)
    return [
        action
        for action in view.actions
        if (not vm or _names(vm, action.target))
        and (not node or node in (action.target, action.destination))
        and (since is None or action.open or (action.finished_at or action.created_at) >= since)
    ]


def _names(vm: str, target: str) -> bool:
    return "/" in target and vm in (target, target.partition("/")[2])


def as_lines(entries: Iterable[dict[str, Any]], paint: Paint) -> Iterator[str]:
    """A paragraph an action: what and why, each step with how long it took, and what came of it."""
    nothing = True
    for told in entries:
        nothing = False
        at = day_and_clock(from_api(told["at"]))
        what = f"{told['type']} {told['target']}" + (f" to {told['destination']}" if told["destination"] else "")
        why = f"{told['reason']}, {by(told['requestedBy'])}: {told['message']}"
        yield f"{at}  {paint(what, STRONG)}  {one_line(why)}"
        yield from _steps(told)
        took = f" after {length(told['seconds'])}" if told["seconds"] is not None else ""
        colour = {"Succeeded": GOOD, "Failed": BAD}.get(told["phase"], DOUBTFUL)
        result = f": {one_line(told['result'])}" if told["result"] else ""
        yield f"    {paint(told['phase'], colour)}{took}{result}"
    if nothing:
        yield "Nothing is on record."


def _steps(entry: dict[str, Any]) -> Iterator[str]:
    for step in entry["steps"]:
        end = step["until"]
        took = length(max(0.0, from_api(end) - from_api(step["at"]))) if end else "under way"
        tries = f", {step['failedTries']} tries failed" if step["failedTries"] else ""
        yield f"    {step['name']} ({took}{tries}): {one_line(step['message'])}"
