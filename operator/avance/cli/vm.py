"""`avance vm …`: the commands about one VM, each in a module of its own."""

from __future__ import annotations

import argparse

from avance.cli import options, vm_clone, vm_create, vm_template
from avance.cli.exits import MEANING

COMMANDS = (vm_create, vm_clone, vm_template)


def add(commands: options.Commands) -> None:
    """The group, and the options of each of its commands."""
    group = commands.add_parser(
        "vm",
        help="make a VM, copy one, or make an image of one",
        description="Make VMs of a pair, copy them, and make golden images of them.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    for command in COMMANDS:
        command.add(verbs)
