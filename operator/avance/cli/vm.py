"""`avance vm …`: the commands about one VM, each in a module of its own."""

from __future__ import annotations

import argparse

from avance.cli import options, vm_adopt, vm_clone, vm_create, vm_release, vm_template
from avance.cli.exits import MEANING

COMMANDS = (vm_create, vm_clone, vm_template, vm_adopt, vm_release)


def add(commands: options.Commands) -> None:
    """The group, and the options of each of its commands."""
    group = commands.add_parser(
        "vm",
        help="make a VM, copy one, make an image of one, adopt one that exists, let it go",
        description="Make VMs of a pair, copy them, make golden images of them; adopt what exists, and let it go.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    for command in COMMANDS:
        command.add(verbs)
