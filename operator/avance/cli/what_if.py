"""`avance what-if`: what would happen to a live pair, in which order, how long it takes, and what would block it."""

from __future__ import annotations

import re
import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from avance.cli import options
from avance.cli.exits import NO, OK, USAGE, Failure
from avance.cli.looking import look
from avance.core.components import ComponentKind
from avance.core.what_if import blockers
from avance.simulator.answer import as_json, as_text
from avance.simulator.events import REPORTED_BY
from avance.simulator.what_if import Deed, Question, ask

if TYPE_CHECKING:
    from avance.operator.glimpse import Glimpse

PARTS = {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind).lower(): kind for kind in REPORTED_BY}
"""Kinds of parts as they are written on the command line: power-supply, raid."""

EPILOG = f"""\
Nothing is changed. PART is one of: {", ".join(sorted(PARTS))}.
Exit status: 0 every VM would run (and none be left on a server that is drained), 1 something would block that, 2 the
question makes no sense, 3 the cluster cannot be read.
"""


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "what-if",
        help="tell what would happen to a live pair if a server crashed now",
        description="Tell what would happen to a live pair, in which order, how long it takes, what would block it.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    options.pair(parser)
    deeds = parser.add_mutually_exclusive_group(required=True)
    deeds.add_argument("--crash", metavar="NODE", help="its kernel dies and its power stays on")
    deeds.add_argument("--power-cut", metavar="NODE", help="it loses its power; its management controller answers")
    deeds.add_argument("--fail", metavar="PART[/NAME]", help="a part of --node fails, for example power-supply/PSU2")
    deeds.add_argument("--drain", metavar="NODE", help="somebody cordons it and evicts its VMs")
    parser.add_argument("--node", default="", help="the node whose part fails (with --fail)")
    options.cluster(parser)
    options.output(parser)
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    try:
        question = _question(chosen)
        seen = look(chosen)
        answer = ask(seen.view, question, seen.seen_at)
    except ValueError as error:
        raise Failure(error, USAGE) from error
    in_the_way = list(dict.fromkeys([*filter(None, [seen.nobody_acts]), *_told(seen, question), *answer.blockers]))
    write = as_json if chosen.output == "json" else as_text
    sys.stdout.write(write(seen.view, answer, in_the_way, seen.seen_at))
    return NO if in_the_way else OK


def _told(seen: Glimpse, question: Question) -> Iterator[str]:
    """What the pair's `FailoverReady` says of a crash: some of it no simulation shows, such as a lost control plane."""
    node = seen.view.node(question.node)
    if node is not None and question.deed in (Deed.CRASH, Deed.POWER_CUT):
        yield from (blocker.message for blocker in blockers(seen.view, node, seen.seen_at))


def _question(chosen: Namespace) -> Question:
    """Raises ValueError, in words."""
    if not chosen.fail:
        deed, node = next(
            (deed, node)
            for deed, node in (
                (Deed.CRASH, chosen.crash),
                (Deed.POWER_CUT, chosen.power_cut),
                (Deed.DRAIN, chosen.drain),
            )
            if node is not None
        )
        if chosen.node and chosen.node != node:
            raise ValueError(f"--node {chosen.node} goes with --fail; --{deed} {node} names the node already")
        return Question(deed, node)
    part, _, name = chosen.fail.partition("/")
    if part not in PARTS:
        raise ValueError(f"there is no kind of part '{part}'; there are: {', '.join(sorted(PARTS))}")
    if not chosen.node:
        raise ValueError("--fail needs --node: whose part is it?")
    return Question(Deed.FAIL, chosen.node, ComponentKind(PARTS[part]), name)
