"""`avance attest-off NODE`: a person's word that a server is off, where nothing else can prove it."""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace

from avance.cli import options
from avance.cli.exits import MEANING, USAGE, Failure
from avance.cli.reasons import add_reason, naming, reason_of
from avance.core.model import ActionType

WARNING = """\
With your word its VMs are started on the other server. If {node} still runs, two instances of each VM write to the same
disks, and their data is lost. Go and see: no light, no fan, or its plugs pulled.
Type the name of the server that is off: """


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "attest-off",
        help="vouch that a dead node is off, where its management controller cannot prove it",
        description="Vouch that a dead node is off, where its management controller cannot prove it. Its VMs are\n"
        "started on the other one. You are asked to type the node's name.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.request(parser)
    add_reason(parser, "what you have seen with your own eyes, in ten characters or more")
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    from avance.cli.requests import ask  # what a mere --help need not load

    reason = reason_of(chosen, "both its plugs are pulled")
    _confirm(chosen.node)
    return ask(chosen, ActionType.ATTEST_OFF, naming(chosen.node, reason))


def _confirm(node: str) -> None:
    """Raises Failure unless the person types the node's name: a word that is given by habit is worth nothing."""
    sys.stderr.write(WARNING.format(node=node))
    sys.stderr.flush()
    typed = sys.stdin.readline().strip()
    if typed != node:
        raise Failure(f"nothing was asked for: '{typed}' was typed, not {node}", USAGE)
