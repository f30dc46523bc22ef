"""`avance vm create NAME`: a VM in two minutes, from an image that is there or that is fetched."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace

from avance.cli import options, vm_guest
from avance.cli.exits import MEANING

EXAMPLES = """\
Examples:
  avance vm create shop/till --image debian-12 --ssh-key ~/.ssh/id_ed25519.pub
  avance vm create shop/till --http https://images.example/debian-12.qcow2 --cores 4 --memory 8Gi --disk 40Gi
  avance vm create shop/db --image debian-12 --disk 40Gi --disk 200Gi,spindles=4 --priority High
  avance vm create shop/till --image images/debian-12 --dry-run > till.yaml
  avance vm create shop/win --windows --iso claim:win11 --drivers <registry>/virtio-container-disk --disk 64Gi
  avance vm create shop/pos --windows --image windows-2022 --instance-type u1.large --preference windows.2k22.virtio

"""


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "create",
        help="make a VM",
        description="Make a VM that the pair protects, and wait until it runs. One source says what its first disk\n"
        "holds; everything else has a default that serves.",
        epilog=EXAMPLES + MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="[NAMESPACE/]NAME", help="the VM (namespace: default)")
    _source(parser)
    _hardware(parser)
    _guest(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the manifest, and make nothing")
    options.pair(parser)
    options.cluster(parser)
    parser.add_argument("-o", "--output", choices=("text", "json", "yaml"), default="text", help="(default: text)")
    options.follow(parser, timeout="30m")
    parser.set_defaults(run=_run)


def _source(parser: ArgumentParser) -> None:
    """What the first disk holds."""
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument("--image", metavar="[NAMESPACE/]NAME", help="a golden image: `avance image list` shows them")
    one.add_argument("--registry", metavar="URL", help="a disk in a container registry: docker://<registry>/<image>")
    one.add_argument("--http", metavar="URL", help="an image behind a web address: raw or qcow2, may be packed")
    one.add_argument("--blank", action="store_true", help="nothing")
    one.add_argument(
        "--iso",
        metavar="SOURCE[,SIZE]",
        help="nothing, and a CD-ROM to install from: a web address, docker://<registry>/<image>, or claim:NAME (the "
        f"size of one that is fetched: {vm_guest.ISO_SIZE})",
    )


def _hardware(parser: ArgumentParser) -> None:
    parser.add_argument("--cores", type=int, help="processors (default: 2)")
    parser.add_argument("--memory", help="(default: 4Gi)")
    parser.add_argument(
        "--disk",
        dest="disks",
        action="append",
        metavar="SIZE[,spindles=N][,class=NAME][,bus=BUS]",
        help="size of the first disk (default: that of the image, else 20Gi); repeated: further disks, which are empty",
    )
    parser.add_argument(
        "--network",
        dest="networks",
        action="append",
        metavar="pod|NAMESPACE/NAME",
        help="the pod network or a NetworkAttachmentDefinition; may be repeated (default: pod)",
    )


def _guest(parser: ArgumentParser) -> None:
    parser.add_argument("--cloud-init", metavar="FILE", help="user data for the guest's first boot")
    parser.add_argument("--ssh-key", metavar="FILE|KEY", help="public key that may log in, by cloud-init")
    vm_guest.add(parser)
    parser.add_argument("--priority", choices=("High", "Medium", "Low"), default="Medium", help="(default: Medium)")
    parser.add_argument("--stopped", action="store_true", help="make it, but do not start it")


def _run(chosen: Namespace) -> int:
    from avance.cli.vm_making import create  # what a mere --help need not load

    return create(chosen)
