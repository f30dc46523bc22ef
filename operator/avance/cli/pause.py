"""`avance pause` and `avance resume`: begin nothing for a while, and go on."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta

from avance.api.meta import format_time
from avance.cli import options
from avance.cli.exits import MEANING
from avance.cli.reasons import add_reason, reason_of


def add(commands: options.Commands) -> None:
    """The options of both commands."""
    pause = commands.add_parser(
        "pause",
        help="begin nothing for a pair or a VM for a while: it is unprotected until then",
        description="Begin nothing for a pair, or one VM of it, for a while, whatever happens: it is unprotected\n"
        "until then. It ends by itself.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    pause.add_argument(
        "--for", dest="length", type=options.duration, required=True, metavar="TIME", help="how long: 30m, 2h, 1d"
    )
    add_reason(pause, "why, for whoever finds it paused")
    _common(pause)
    pause.set_defaults(run=_pause)
    resume = commands.add_parser(
        "resume",
        help="end a pause",
        description="End a pause of a pair, or of one VM of it.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _common(resume)
    resume.set_defaults(run=_resume)


def _common(parser: ArgumentParser) -> None:
    parser.add_argument("--vm", default="", metavar="VM", help="this VM alone (NAMESPACE/NAME or NAME)")
    options.pair(parser)
    options.cluster(parser)
    options.output(parser)
    options.follow(parser, timeout="1m")


def _pause(chosen: Namespace) -> int:
    from avance.cli.pausing import edit  # what a mere --help need not load

    reason = reason_of(chosen, "the UPS is being replaced")
    until = format_time(datetime.now(UTC) + timedelta(seconds=chosen.length))
    return edit(chosen, {"until": until, "reason": reason})


def _resume(chosen: Namespace) -> int:
    from avance.cli.pausing import edit  # what a mere --help need not load

    return edit(chosen, None)
