"""`avance vm template VM --name IMAGE`: what was installed once becomes a golden image."""

from __future__ import annotations

import argparse
from argparse import Namespace

from avance.cli import options
from avance.cli.exits import MEANING


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "template",
        help="make a golden image of a VM",
        description="Copy the first disk of a VM that is off into a golden image, from which other VMs are made.\n"
        "Before it is shut down the guest has to forget who it is:\n\n"
        "  Linux:    cloud-init clean --logs --machine-id && rm -f /etc/ssh/ssh_host_*\n"
        "  Windows:  sysprep /generalize /oobe /shutdown",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("vm", metavar="[NAMESPACE/]VM", help="the VM (namespace: default)")
    parser.add_argument(
        "--name", required=True, metavar="[NAMESPACE/]IMAGE", help="the golden image (namespace: that of the VM)"
    )
    parser.add_argument("--disk", default="", metavar="DISK", help="which disk (default: the one that it boots from)")
    options.cluster(parser)
    options.output(parser)
    options.follow(parser, timeout="30m")
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    from avance.cli.vm_copying import template  # what a mere --help need not load

    return template(chosen)
