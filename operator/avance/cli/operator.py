"""`avance operator`: the operator itself, as its Deployment runs it."""

from __future__ import annotations

import logging
import os
import socket
from argparse import Namespace

from avance.cli.options import Commands


def add(commands: Commands) -> None:
    """The command's options."""
    parser = commands.add_parser("operator", help="run the operator against the cluster of $KUBECONFIG or the pod")
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
    parser.add_argument(
        "--edits-stamped",
        action="store_true",
        help="the MutatingAdmissionPolicy edits.avance.dev is there: what it notes of who edits is true",
    )
    parser.add_argument("--log-format", choices=("text", "json"), default="json", help="(default: json)")
    parser.add_argument("--log-level", choices=("debug", "info", "warning"), default="info", help="(default: info)")
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    from avance.operator.app import Options, run
    from avance.operator.logs import set_up

    set_up(chosen.log_format, getattr(logging, chosen.log_level.upper()))
    return run(
        Options(
            chosen.namespace,
            chosen.identity,
            chosen.host,
            chosen.probe_port,
            chosen.metrics_port,
            edits_stamped=chosen.edits_stamped,
        )
    )
