"""`avance notify TEXT`: a message by one of the pair's channels, to see whether it arrives."""

from __future__ import annotations

import argparse
from argparse import Namespace

from avance.cli import options
from avance.cli.exits import MEANING, USAGE, Failure
from avance.core.channels import Notification
from avance.core.model import ActionType


def add(commands: options.Commands) -> None:
    """The command's options."""
    parser = commands.add_parser(
        "notify",
        help="send a test message by a channel of spec.notifications",
        description="Send TEXT by one channel of the pair, and tell what its receiver says. It is written down as an\n"
        "AvanceAction Notify in your name, and tried again as any other message if the receiver does not take it.",
        epilog=f'example:\n  avance notify --channel mail "Does this arrive?"\n\n{MEANING}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("text", metavar="TEXT", nargs="?", default="", help="what it says, beside that it is a test")
    parser.add_argument("--channel", required=True, help="name of a channel in spec.notifications of the pair")
    options.pair(parser)
    options.cluster(parser)
    options.output(parser)
    options.follow(parser, "1m")
    parser.set_defaults(run=_run)


def _run(chosen: Namespace) -> int:
    from avance.cli.looking import look  # what a mere --help need not load
    from avance.cli.requests import ask

    pair = look(chosen).pair
    names = [channel.name for channel in pair.spec.notifications.channels]
    if chosen.channel not in names:
        there_are = (
            f"it has {', '.join(names)}" if names else "it has none: docs/notifications.md says how to name some"
        )
        raise Failure(f"pair {pair.metadata.name} has no channel {chosen.channel}; {there_are}", USAGE)
    told = Notification(chosen.channel)
    return ask(chosen, ActionType.NOTIFY, chosen.text, target=pair.metadata.name, notification=told)
