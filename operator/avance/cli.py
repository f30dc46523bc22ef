"""The command line: `avance operator` runs the operator, `avance simulate` plays scenarios through the same rules, and
`avance what-if` plays a live pair forward.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from collections.abc import Sequence

from avance import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="avance", description="Two servers that look like one that does not fail.")
    parser.add_argument("--version", action="version", version=f"avance {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_operator(
        commands.add_parser("operator", help="run the operator against the cluster of $KUBECONFIG or the pod")
    )
    _add_simulate(commands.add_parser("simulate", help="play scenario files through the rules on a virtual clock"))
    _add_what_if(commands)
    chosen = parser.parse_args(arguments)
    status: int = chosen.run(chosen)
    return status


def _add_operator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--namespace",
        default=os.environ.get("POD_NAMESPACE", "avance-system"),
        help="namespace of the leader's Lease and of the BMC credentials (default: $POD_NAMESPACE, else avance-system)",
    )
    parser.add_argument(
        "--identity",
        default=os.environ.get("POD_NAME", socket.gethostname()),
        help="name of this process in the Lease and in what it records (default: $POD_NAME, else the host's name)",
    )
    parser.add_argument("--host", default="0.0.0.0", help="address for probes and metrics (default: all)")
    parser.add_argument("--probe-port", type=int, default=8080, help="port of /healthz and /readyz")
    parser.add_argument("--metrics-port", type=int, default=9090, help="port of /metrics")
    parser.add_argument("--log-format", choices=("text", "json"), default="json", help="(default: json)")
    parser.add_argument("--log-level", choices=("debug", "info", "warning"), default="info", help="(default: info)")
    parser.set_defaults(run=_operator)


def _operator(chosen: argparse.Namespace) -> int:
    from avance.operator.app import Options, run
    from avance.operator.logs import set_up

    set_up(chosen.log_format, getattr(logging, chosen.log_level.upper()))
    return run(Options(chosen.namespace, chosen.identity, chosen.host, chosen.probe_port, chosen.metrics_port))


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="scenario files (docs/scenarios.md)")
    parser.add_argument("--json", action="store_true", help="print the timeline for programs")
    parser.set_defaults(run=_simulate)


def _simulate(chosen: argparse.Namespace) -> int:
    from avance.simulator import simulate

    status: int = simulate(chosen.files, json=chosen.json)
    return status


def _add_what_if(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from avance.operator.what_if import EPILOG, add_arguments, run

    parser = commands.add_parser(
        "what-if",
        help="tell what would happen to a live pair if a server crashed now",
        description="Tell what would happen to a live pair, in which order, how long it takes, what would block it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


if __name__ == "__main__":
    sys.exit(main())
