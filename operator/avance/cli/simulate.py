"""`avance simulate`: scenario files, played by the operator's own rules."""

from __future__ import annotations

from argparse import Namespace

from avance.cli.options import Commands


def add(commands: Commands) -> None:
    """The command's options."""
    parser = commands.add_parser("simulate", help="play scenario files through the rules on a virtual clock")
    parser.add_argument("files", nargs="+", metavar="FILE", help="scenario files (docs/scenarios.md)")
    parser.add_argument("--json", action="store_true", help="print the timeline for programs")
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    from avance.simulator import simulate

    status: int = simulate(chosen.files, json=chosen.json)
    return status
