"""`avance install-check`: is everything there that a pair needs, and if not, what is to be done?"""

from __future__ import annotations

import argparse
import json
import sys
import time
from argparse import Namespace
from collections.abc import Sequence

from avance.cli import options
from avance.cli.exits import MEANING, NO, OK, USAGE, Failure
from avance.cli.looking import answered
from avance.cli.terminal import BAD, DOUBTFUL, GOOD, Paint, one_line, paint, table
from avance.core.installation import Check, Level, checks


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "install-check",
        help="is everything there that a pair needs, and if not, what is to be done?",
        description="Look at KubeVirt, the two nodes, their management controllers, storage, CPU models, clocks and\n"
        "the control plane. Before there is a pair, name the two nodes. Nothing is changed; it takes up to 15 s, for\n"
        "the clocks of the nodes are read when they renew their Leases.",
        epilog=f"{MEANING}Warnings do not count as a no.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("nodes", nargs="*", metavar="NODE", help="two nodes that are to become a pair")
    options.pair(parser)
    options.cluster(parser)
    options.output(parser)
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    from avance.operator.inspection import inspect  # what a mere --help need not load

    if len(chosen.nodes) not in (0, 2) or len(set(chosen.nodes)) != len(chosen.nodes):
        raise Failure("name two nodes, or none where there is a pair: avance install-check NODE-A NODE-B", USAGE)
    site = answered(inspect(chosen.kubeconfig, chosen.pair, chosen.namespace, tuple(chosen.nodes), chosen.context))
    found = list(checks(site, time.time()))
    sys.stdout.write(as_json(found) if chosen.output == "json" else as_text(found, paint()))
    return NO if any(check.level is Level.FAILED for check in found) else OK


def as_json(found: Sequence[Check]) -> str:
    """One line."""
    lines = [{"about": one.about, "level": one.level, "message": one.message, "fix": one.fix} for one in found]
    return json.dumps({"ready": all(one.level is not Level.FAILED for one in found), "checks": lines}) + "\n"


def as_text(found: Sequence[Check], paint: Paint) -> str:
    """A line a check, with what to do below where there is something to do; and the sum of it."""
    colours = {Level.OK: GOOD, Level.WARNING: DOUBTFUL, Level.FAILED: BAD}
    rows = table([(paint(one.level, colours[one.level]), one.about, one_line(one.message)) for one in found])
    indent = " " * (max(len(Level.WARNING), *(len(one.level) for one in found)) + 2)
    lines = []
    for row, one in zip(rows, found, strict=True):
        lines += [row, *([f"{indent}to do: {one_line(one.fix)}"] if one.fix and one.level is not Level.OK else [])]
    failed = sum(one.level is Level.FAILED for one in found)
    warned = sum(one.level is Level.WARNING for one in found)
    verdict = f"{failed} failed" if failed else "Ready"
    return "\n".join([*lines, "", f"{verdict}, {warned} warning{'' if warned == 1 else 's'}."]) + "\n"
