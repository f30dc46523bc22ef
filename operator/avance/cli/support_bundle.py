"""`avance support-bundle`: what somebody needs who is to help, in one file, without any Secret's content."""

from __future__ import annotations

import argparse
import json
import sys
import time
from argparse import Namespace
from pathlib import Path

from avance.cli import options
from avance.cli.exits import MEANING, OK, USAGE, Failure
from avance.cli.looking import answered


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "support-bundle",
        help="pack objects, events and the operators' logs into one file for whoever is to help",
        description="Pack pairs, VMs, actions, nodes, Leases, KubeVirt's objects, events and the operators' logs into\n"
        "one tar.gz. Secrets are not read, and cloud-init data, which may hold passwords, is left out of VMs.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--file", default="", metavar="FILE", help="where to (default: avance-support-<time>.tar.gz)")
    options.cluster(parser)
    options.output(parser)
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    from avance.operator.bundle import bundle  # what a mere --help need not load

    file = Path(chosen.file or time.strftime("avance-support-%Y%m%d-%H%M%S.tar.gz", time.gmtime()))
    if not file.parent.is_dir():
        raise Failure(f"there is no directory {file.parent} to write {file.name} to", USAGE)
    names = answered(bundle(chosen.kubeconfig, chosen.namespace, file, chosen.context))
    if chosen.output == "json":
        sys.stdout.write(json.dumps({"file": str(file), "contents": names}) + "\n")
        return OK
    sys.stderr.writelines(f"{name}\n" for name in names)
    sys.stdout.write(f"{file}\n")
    return OK
