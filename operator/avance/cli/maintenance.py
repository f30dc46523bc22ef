"""`avance maintenance enter|leave NODE`: a server is emptied for a person to work on, and given back."""

from __future__ import annotations

import argparse
from argparse import Namespace

from avance.cli import options
from avance.cli.exits import MEANING, USAGE, Failure
from avance.core.model import ActionType

ENTER = """\
Move every VM of NODE to the other server while it runs, and close NODE to VMs. Then it is yours to work on: switch it
off and on, pull parts, as often as you like; nothing is done to it, and no VM starts on it, until you give it back by
`avance maintenance leave`. Meanwhile the pair is not redundant. What else runs on NODE you drain yourself."""
LEAVE = """\
Give NODE back: once it is up, healthy, and has been steady for as long as the pair's spec asks, it takes VMs again, and
those that belong there go home by the pair's failback policy. Nobody but you switches it on. While NODE is still being
emptied, this calls that off."""


def add(commands: options.Commands) -> None:
    """The group, and the options of both its commands."""
    group = commands.add_parser(
        "maintenance",
        help="empty a server for a person to work on, and take it back",
        description="Empty a server for a person to work on, and take it back.",
        epilog=f"""\
$ avance maintenance enter node-a --message "a new power supply"
$ avance maintenance leave node-a

{MEANING}""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    enter = _verb(verbs, "enter", "move its VMs away and leave the server to a person", ENTER)
    enter.add_argument(
        "--message", "--reason", dest="reason", required=True, metavar="WORDS", help="what is done to it"
    )
    enter.set_defaults(run=_enter)
    leave = _verb(verbs, "leave", "take the server back into service", LEAVE)
    leave.add_argument("--message", "--reason", dest="reason", default="", metavar="WORDS", help="for the log")
    leave.set_defaults(run=_leave)


def _verb(verbs: options.Commands, name: str, help_: str, description: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(
        name,
        help=help_,
        description=description,
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.request(parser)
    return parser


def _enter(chosen: Namespace) -> int:
    from avance.cli.requests import ask  # what a mere --help need not load

    reason = chosen.reason.strip()
    if not reason:
        example = '--message "a new power supply"'
        raise Failure(f"say what is done to {chosen.node}, for whoever finds it so: {example}", USAGE)
    return ask(chosen, ActionType.ENTER_MAINTENANCE, reason)


def _leave(chosen: Namespace) -> int:
    from avance.cli.requests import ask  # what a mere --help need not load

    return ask(chosen, ActionType.LEAVE_MAINTENANCE, chosen.reason.strip() or f"{chosen.node} is given back")
