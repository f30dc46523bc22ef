"""Options that commands share, and how times are written on the command line."""

from __future__ import annotations

import argparse
import re
from argparse import ArgumentParser
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[ArgumentParser]"

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+)([smhd])")


def cluster(parser: ArgumentParser) -> None:
    """How to reach the cluster."""
    parser.add_argument("--kubeconfig", help="how to reach the cluster (default: $KUBECONFIG, the pod, ~/.kube/config)")
    parser.add_argument("--context", help="which context of the kubeconfig (default: its current one)")
    parser.add_argument("--namespace", default="avance-system", help="where the operator runs (default: avance-system)")


def pair(parser: ArgumentParser) -> None:
    """Which pair is meant."""
    parser.add_argument("--pair", default="", help="name of the AvancePair; may be left out if there is only one")


def output(parser: ArgumentParser) -> None:
    """For people or for programs."""
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="(default: text)")


def duration(text: str) -> float:
    """Seconds of `90s`, `15m`, `2h`, `1d` or `1h30m`; argparse turns the error into a usage message."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"'{text}' is no length of time: write 90s, 15m, 2h, 1d or 1h30m")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def follow(parser: ArgumentParser, timeout: str = "10m", *, wait: bool = True) -> None:
    """Whether and how long to wait."""
    parser.add_argument(
        "--wait",
        action=argparse.BooleanOptionalAction,
        default=wait,
        help=f"wait for the end and show how far it is (default: {'--wait' if wait else '--no-wait'})",
    )
    parser.add_argument(
        "--timeout",
        type=duration,
        default=duration(timeout),
        metavar="TIME",
        help=f"give up waiting after so long; what was asked for goes on (default: {timeout})",
    )


def request(parser: ArgumentParser) -> None:
    """What all requests about a node share."""
    parser.add_argument("node", metavar="NODE", help="name of a node of the pair")
    pair(parser)
    cluster(parser)
    output(parser)
    follow(parser)
