"""`avance vm clone SOURCE NEW`: a VM like another one, with copies of its disks."""

from __future__ import annotations

import argparse
from argparse import Namespace

from avance.cli import options
from avance.cli.exits import MEANING


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "clone",
        help="make a VM like another one, with copies of its disks",
        description="Make VM NEW like SOURCE, with copies of its disks, and wait until it runs. SOURCE has to be off:\n"
        "a disk that is copied while a guest writes to it is torn. NEW gets hardware addresses of its own,\n"
        "and cloud-init takes it for a new machine, under its own name.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="[NAMESPACE/]SOURCE", help="the VM that is copied (namespace: default)")
    parser.add_argument("name", metavar="NEW", help="the new VM, in the same namespace")
    parser.add_argument("--stopped", action="store_true", help="make it, but do not start it")
    parser.add_argument("--dry-run", action="store_true", help="print the manifest, and make nothing")
    options.cluster(parser)
    parser.add_argument("-o", "--output", choices=("text", "json", "yaml"), default="text", help="(default: text)")
    options.follow(parser, timeout="30m")
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    from avance.cli.vm_copying import clone  # what a mere --help need not load

    return clone(chosen)
