"""`avance image list` and `avance image import NAME`: the golden images that VMs are made from."""

from __future__ import annotations

import argparse
from argparse import Namespace

from avance.cli import options
from avance.cli.exits import MEANING


def add(commands: options.Commands) -> None:
    """The group, and the options of both commands."""
    group = commands.add_parser(
        "image",
        help="list or fetch golden images",
        description="The golden images of the cluster, which are CDI DataSources.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    _list(verbs)
    _import(verbs)


def _list(verbs: options.Commands) -> None:
    parser = verbs.add_parser(
        "list",
        help="the golden images that there are",
        description="The golden images of all namespaces: their size, their age, and whether they are ready.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.cluster(parser)
    options.output(parser)
    parser.set_defaults(run=_run_list)


def _import(verbs: options.Commands) -> None:
    parser = verbs.add_parser(
        "import",
        help="fetch an image once, for many VMs",
        description="Fetch an image from a web server or a container registry, and keep it as a golden image.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="[NAMESPACE/]NAME", help="the golden image (namespace: default)")
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument("--http", metavar="URL", help="an image behind a web address: raw or qcow2, may be packed")
    one.add_argument("--registry", metavar="URL", help="a disk in a container registry: docker://<registry>/<image>")
    parser.add_argument("--size", default="20Gi", help="of the disk, at least that of the image (default: 20Gi)")
    options.cluster(parser)
    options.output(parser)
    options.follow(parser, timeout="30m")
    parser.set_defaults(run=_run_import)


def _run_list(chosen: Namespace) -> int:
    from avance.cli.golden import show_images  # what a mere --help need not load

    return show_images(chosen)


def _run_import(chosen: Namespace) -> int:
    from avance.cli.golden import import_image  # what a mere --help need not load

    return import_image(chosen)
