"""The reason that a person gives for what only a person may say."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from avance.cli.exits import USAGE, Failure


def add_reason(parser: ArgumentParser, help_: str) -> None:
    """A reason that has to be given."""
    parser.add_argument("--reason", required=True, metavar="WORDS", help=help_)


def reason_of(chosen: Namespace, example: str) -> str:
    """The reason, without the space around it; raises Failure for an empty one."""
    reason: str = chosen.reason.strip()
    if not reason:
        raise Failure(f'a reason is needed, for whoever reads the log: --reason "{example}"', USAGE)
    return reason


def naming(node: str, reason: str) -> str:
    """The reason with the node's name in it: what a person vouches for has to name the server that it is about."""
    return reason if node in reason else f"{node}: {reason}"
