"""`avance status`: the pair as the one system that it wants to be, on one screen."""

from __future__ import annotations

import argparse
import sys
import time
from argparse import Namespace

from avance.cli import options
from avance.cli.exits import MEANING, NO, OK, UNREACHABLE, Failure
from avance.cli.looking import look
from avance.cli.terminal import paint

CLEAR = "\x1b[H\x1b[J"
"""Cursor home, and the rest of the screen erased: nothing flickers."""


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "status",
        help="the pair on one screen: is it redundant, would a crash be survived, who runs where, what is under way",
        description="The pair on one screen, as its operator has it on record. With --watch it stays and follows.",
        epilog=f"{MEANING}All is well when the pair is Ready, Redundant and FailoverReady, and an operator leads.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.pair(parser)
    options.cluster(parser)
    options.output(parser)
    parser.add_argument("--watch", "-w", action="store_true", help="show it again and again, until Ctrl-C")
    parser.add_argument(
        "--interval", type=options.duration, default=2.0, metavar="TIME", help="how often with --watch (default: 2s)"
    )
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    if not chosen.watch:
        text, status = _one_look(chosen)
        sys.stdout.write(text)
        return status
    status = OK
    while True:
        try:
            text, status = _one_look(chosen)
        except Failure as failure:
            if failure.status != UNREACHABLE:
                raise
            # What one watches for is just what makes an API server silent for a while.
            text, status = f"{failure}\n", failure.status
        sys.stdout.write(CLEAR + text if chosen.output == "text" and sys.stdout.isatty() else text)
        sys.stdout.flush()
        try:
            time.sleep(chosen.interval)
        except KeyboardInterrupt:
            return status


def _one_look(chosen: Namespace) -> tuple[str, int]:
    from avance.cli.picture import as_json, as_text, picture

    shown = picture(look(chosen))
    text = as_json(shown) if chosen.output == "json" else as_text(shown, paint())
    return text, OK if shown.well else NO
