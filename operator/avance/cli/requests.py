"""What a person asks for: written down as an AvanceAction, and followed to its end."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from argparse import Namespace
from typing import Any

from avance.api.action import AvanceAction
from avance.cli.exits import NO, OK, TIMED_OUT, UNREACHABLE, USAGE, Failure
from avance.cli.looking import answered, look
from avance.cli.terminal import length
from avance.core.channels import Notification
from avance.core.intents import REQUESTED, Intent
from avance.core.model import ActionPhase, ActionType, ActionView
from avance.core.requests import PAIR_ACTIONS, why_not_take_up
from avance.core.upgrade_request import UpgradeWord
from avance.kube.client import Kube
from avance.kube.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from avance.kube.resources import AVANCE_ACTIONS
from avance.operator.actions import intent_object
from avance.operator.glimpse import Glimpse, connected

Object = dict[str, Any]

POLL_SECONDS = 0.5


def ask(
    chosen: Namespace,
    type_: ActionType,
    message: str,
    *,
    target: str = "",
    notification: Notification | None = None,
    upgrade: UpgradeWord | None = None,
) -> int:
    """Ask for an action on the chosen node, or on `target`, which is the pair itself.

    Raises Failure; what makes no sense is refused before it is written.
    """
    seen = look(chosen) if target else look(chosen, chosen.node)
    target = target or chosen.node
    name = f"{type_.lower()}-{target[:40]}-{secrets.token_hex(4)}"
    intent = Intent(name, type_, target, REQUESTED, message, incident=name, notification=notification, upgrade=upgrade)
    return answered(_ask(chosen, seen, intent))


async def _ask(chosen: Namespace, seen: Glimpse, intent: Intent) -> int:
    type_, target, name = intent.type, intent.target, intent.name
    async with connected(chosen.kubeconfig, chosen.context) as kube:
        user = await kube.whoami()
        wanted = ActionView("", type_, target, "", REQUESTED, intent.message, seen.seen_at, requested_by=user)
        hindrance = why_not_take_up(wanted, seen.view)
        if hindrance:
            raise Failure(hindrance, USAGE)
        made = await written(
            kube.create(AVANCE_ACTIONS, intent_object(seen.view.name, seen.pair.metadata.uid, intent, user))
        )
        if not chosen.wait:
            return _tell(chosen, made, f"{name} is asked for; `{_watch(type_, target)}` tells how far it is")
        if seen.nobody_acts:
            _say(f"it waits until an operator leads: {seen.nobody_acts}")
        return await _follow(chosen, kube, name)


def _watch(type_: ActionType, target: str) -> str:
    if type_ is ActionType.ROLLING_UPGRADE:
        return "avance upgrade status"
    return "avance log --since 1h" if type_ in (ActionType.NOTIFY, *PAIR_ACTIONS) else f"avance log --node {target}"


async def written(writing: Any) -> Object:
    """A write's answer; raises Failure with the API server's own words where it refuses."""
    try:
        answer: Object = await writing
    except (Invalid, Forbidden) as error:
        raise Failure(f"the API server refuses it: {error.message}", UNREACHABLE) from error
    except Conflict as error:
        raise Failure(f"somebody else has written it otherwise: {error.message}; edit it as they do", NO) from error
    return answer


async def _follow(chosen: Namespace, kube: Kube, name: str) -> int:
    """Show each step until the end; an API server that is away for a while is asked again."""
    deadline, told = time.monotonic() + chosen.timeout, ""
    while True:
        obj = await _read(kube, name)
        action = AvanceAction.parse(obj) if obj else None
        phase = ActionPhase(action.status.phase or "Pending") if action else ActionPhase.PENDING
        if obj and action and phase.final:
            _tell(chosen, obj, f"{phase}: {action.status.result}")
            return OK if phase is ActionPhase.SUCCEEDED else NO
        if action:
            step = next((each for each in action.status.steps if each.name == action.status.step), None)
            news = f"{step.name}: {step.message}" if step else "not taken up yet"
            if news != told:
                _say(news)
                told = news
        if time.monotonic() >= deadline:
            waited = length(chosen.timeout)
            raise Failure(f"{name} has not ended within {waited}, and goes on: {told or 'no news'}", TIMED_OUT)
        await asyncio.sleep(POLL_SECONDS)


async def _read(kube: Kube, name: str) -> Object | None:
    try:
        return await kube.get(AVANCE_ACTIONS, name)
    except NotFound as error:
        raise Failure(f"{name} was deleted before it had ended", NO) from error
    except Unavailable as error:
        _say(f"no news for a moment: {error}")
        return None


def _tell(chosen: Namespace, obj: Object, sentence: str) -> int:
    sys.stdout.write(f"{json.dumps(obj)}\n" if chosen.output == "json" else f"{sentence}\n")
    return OK


def _say(news: str) -> None:
    """Beside the result, so that a program that reads that is not disturbed."""
    sys.stderr.write(f"{news}\n")
    sys.stderr.flush()
