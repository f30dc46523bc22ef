"""`avance switchover NODE`: every VM goes there while it runs."""

from __future__ import annotations

import argparse
from argparse import Namespace

from avance.cli import options
from avance.cli.exits import MEANING
from avance.core.model import ActionType


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "switchover",
        help="move every VM to a node while it runs",
        description="Move every VM of the pair to NODE while it runs, all at the same time.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.request(parser)
    parser.add_argument("--reason", default="", help="why, for the log")
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    from avance.cli.requests import ask  # what a mere --help need not load

    return ask(chosen, ActionType.SWITCHOVER, chosen.reason or f"a person wants all VMs on {chosen.node}")
