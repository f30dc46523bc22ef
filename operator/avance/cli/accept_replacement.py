"""`avance accept-replacement NODE`: another server may have the node's name."""

from __future__ import annotations

import argparse
from argparse import Namespace

from avance.cli import options
from avance.cli.exits import MEANING
from avance.cli.reasons import add_reason, naming, reason_of
from avance.core.model import ActionType


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "accept-replacement",
        help="accept another server under a node's name; the old one has to be off for good",
        description="Accept another server under a node's name. The old one has to be off for good: it may still run\n"
        "VMs otherwise.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.request(parser)
    add_reason(parser, "where the old server is now: it is off for good, or taken apart")
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    from avance.cli.requests import ask  # what a mere --help need not load

    reason = reason_of(chosen, "the old server is unplugged, and stands in the store")
    return ask(chosen, ActionType.ACCEPT_REPLACEMENT, naming(chosen.node, reason))
