"""`avance vm adopt VM`: have a VirtualMachine that exists protected, while it runs."""

from __future__ import annotations

import argparse
from argparse import Namespace

from avance.cli import options
from avance.cli.exits import MEANING

EXAMPLES = """\
Examples:
  avance vm adopt shop/legacy
  avance vm adopt shop/legacy --pair shop --priority High

"""


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "adopt",
        help="have a VirtualMachine that exists protected",
        description="Have a VirtualMachine that exists protected by the pair. It keeps its definition and goes on as\n"
        "it is, running or not; `avance vm release` leaves it as it was. What cannot be protected is left alone,\n"
        "with the reason.",
        epilog=EXAMPLES + MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="[NAMESPACE/]NAME", help="the VirtualMachine (namespace: default)")
    parser.add_argument("--priority", choices=("High", "Medium", "Low"), default="Medium", help="(default: Medium)")
    parser.add_argument("--dry-run", action="store_true", help="print the manifest, and change nothing")
    options.pair(parser)
    options.cluster(parser)
    parser.add_argument("-o", "--output", choices=("text", "json", "yaml"), default="text", help="(default: text)")
    options.follow(parser, timeout="2m")
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    from avance.cli.vm_custody import adopt  # what a mere --help need not load

    return adopt(chosen)
