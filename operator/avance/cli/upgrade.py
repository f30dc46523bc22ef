"""`avance upgrade …`: both servers of a pair in turn, with a word in between that the work on one is done."""

from __future__ import annotations

import argparse
import json
import sys
from argparse import ArgumentParser, Namespace

from avance.cli import options
from avance.cli.exits import MEANING, NO, OK, USAGE, Failure
from avance.cli.looking import look
from avance.cli.reasons import add_reason, reason_of
from avance.core.model import ActionType, ActionView, PairView
from avance.core.upgrade import STOPPED, under_way
from avance.core.upgrade_request import VERSIONS, UpgradeWord
from avance.operator.export import entry

EXAMPLE = """\
examples:
  avance upgrade start --reason "Debian 13"
  avance upgrade start --reason "kubelet 1.37" --until kubeletVersion=v1.37.0
  avance upgrade done node-b
"""


def add(commands: options.Commands) -> None:
    """The group, and the options of each of its commands."""
    group = commands.add_parser(
        "upgrade",
        help="upgrade both servers in turn, the backup first, while the VMs run",
        description="Upgrade both servers of a pair in turn, the backup first, while the VMs run on the other one.",
        epilog=f"{EXAMPLE}\n{MEANING}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    start = _verb(verbs, "start", "begin: the backup is emptied, and held for you", _start)
    add_reason(start, "what is done to the servers, for whoever finds one out of service")
    start.add_argument(
        "--until",
        action="append",
        default=[],
        metavar="FIELD=VERSION",
        help=f"take a server back as soon as it is Ready and reports this; FIELD is one of {', '.join(VERSIONS)}, a "
        "VERSION of '*' any other one than now; may be repeated, then all of it",
    )
    options.follow(start, "4h", wait=False)
    done = _verb(verbs, "done", "say that the work on a node is done: it is taken back, the other one follows", _done)
    done.add_argument("node", metavar="NODE", help="name of a node of the pair")
    options.follow(done, "30m")
    orders = {"pause": "begin nothing more until it is resumed", "abort": "give back what is held, and end"}
    for name, help_ in orders.items():
        add_reason(_order(verbs, name, help_), "why, for the log")
    _order(verbs, "resume", "go on after a pause, or after you have looked into what has stopped it")
    _verb(verbs, "status", "how far it is, and what it waits for", _status)


def _verb(verbs: options.Commands, name: str, help_: str, run: object) -> ArgumentParser:
    parser = verbs.add_parser(
        name,
        help=help_,
        description=f"{help_[0].upper()}{help_[1:]}.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.pair(parser)
    options.cluster(parser)
    options.output(parser)
    parser.set_defaults(run=run)
    return parser


def _order(verbs: options.Commands, name: str, help_: str) -> ArgumentParser:
    parser = _verb(verbs, name, help_, _say)
    options.follow(parser, "1m")
    return parser


def _start(chosen: Namespace) -> int:
    from avance.cli.requests import ask  # what a mere --help need not load

    versions = dict(map(_wanted, chosen.until))
    word = UpgradeWord(tuple((field, versions[field]) for field in VERSIONS if field in versions)) if versions else None
    reason = reason_of(chosen, "Debian 13 on both servers")
    return ask(chosen, ActionType.ROLLING_UPGRADE, reason, target=look(chosen).pair.metadata.name, upgrade=word)


def _wanted(text: str) -> tuple[str, str]:
    field, equals, version = text.partition("=")
    if field not in VERSIONS or not equals or not version:
        raise Failure(f"--until {text}: write FIELD=VERSION, where FIELD is one of {', '.join(VERSIONS)}", USAGE)
    return field, version


def _done(chosen: Namespace) -> int:
    from avance.cli.requests import ask

    return ask(chosen, ActionType.LEAVE_MAINTENANCE, f"the work on {chosen.node} is done")


def _say(chosen: Namespace) -> int:
    from avance.cli.requests import ask

    type_ = {
        "pause": ActionType.PAUSE_UPGRADE, "resume": ActionType.RESUME_UPGRADE, "abort": ActionType.ABORT_UPGRADE
    }[chosen.verb]  # fmt: skip
    reason = "" if chosen.verb == "resume" else reason_of(chosen, "the new kernel does not boot")
    return ask(chosen, type_, reason, target=look(chosen).pair.metadata.name)


def _status(chosen: Namespace) -> int:
    """Exit status 1 for one that has stopped and waits for a person to look."""
    view = look(chosen).view
    upgrade = _shown(view)
    if chosen.output == "json":
        sys.stdout.write(f"{json.dumps(entry(upgrade, view.name) if upgrade else None)}\n")
    else:
        sys.stdout.write(as_text(view, upgrade))
    return NO if upgrade is not None and upgrade.open and upgrade.current == STOPPED else OK


def _shown(view: PairView) -> ActionView | None:
    """The one that is under way, or else the last."""
    found = [action for action in view.actions if action.type is ActionType.ROLLING_UPGRADE]
    return under_way(view) or (found[-1] if found else None)


def as_text(view: PairView, upgrade: ActionView | None) -> str:
    """Where it stands, what is next, and which servers are out of service."""
    if upgrade is None:
        return f"No rolling upgrade of pair {view.name} is on record.\n"
    by = f" by {upgrade.requested_by}" if upgrade.requested_by else ""
    says = upgrade.result or (upgrade.step.message if upgrade.step else "not taken up yet")
    where = upgrade.current or upgrade.phase
    held = (
        f"  {node.name} is in maintenance\n" if node.history.maintenance else f"  {node.name} is in service\n"
        for node in view.nodes
    )
    return f"{upgrade.name}{by}: {upgrade.message}\n{upgrade.phase}, {where}: {says}\n{''.join(held)}"
