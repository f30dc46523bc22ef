"""`avance reset-mtbf NODE`: a repaired server is trusted again."""

from __future__ import annotations

import argparse
from argparse import Namespace

from avance.cli import options
from avance.cli.exits import MEANING
from avance.cli.reasons import add_reason, reason_of
from avance.core.model import ActionType


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "reset-mtbf",
        help="trust a node again: its past faults count no more, and if it was declared down it may rejoin",
        description="Trust a node again once it is repaired: its past faults count no more. A node that was declared\n"
        "down may rejoin.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.request(parser)
    add_reason(parser, "why it is trusted, for the log: what was replaced or mended")
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    from avance.cli.requests import ask  # what a mere --help need not load

    return ask(chosen, ActionType.RESET_MTBF, reason_of(chosen, "power supply PSU2 replaced"))
