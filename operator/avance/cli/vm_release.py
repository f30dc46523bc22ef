"""`avance vm release VM`: leave an adopted VirtualMachine as it was, and protect it no more."""

from __future__ import annotations

import argparse
from argparse import Namespace

from avance.cli import options
from avance.cli.exits import MEANING

EXAMPLES = """\
Examples:
  avance vm release shop/legacy

"""


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "release",
        help="leave an adopted VirtualMachine as it was",
        description="Leave an adopted VirtualMachine as it was before, and protect it no more. It goes on as it is,\n"
        "running or not. Waits for what is under way with it.",
        epilog=EXAMPLES + MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="[NAMESPACE/]NAME", help="the ProtectedVM (namespace: default)")
    options.cluster(parser)
    options.output(parser)
    options.follow(parser, timeout="2m")
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    from avance.cli.vm_custody import release  # what a mere --help need not load

    return release(chosen)
