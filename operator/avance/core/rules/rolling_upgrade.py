"""Planned downtime of both servers in turn: the children of a rolling upgrade, one server after the other."""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.intents import Intent, LookAgain, intent
from avance.core.model import ActionType, PairView
from avance.core.upgrade import stage, under_way


def take_the_next_step(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """What the upgrade has on record as its step is what is begun for it."""
    upgrade = under_way(view)
    found = stage(view, upgrade, now) if upgrade is not None else None
    if upgrade is None or found is None or found.wants is None or upgrade.current != found.step:
        return
    yield intent(
        view,
        found.wants,
        found.node,
        reason=str(ActionType.ROLLING_UPGRADE),
        message=f"rolling upgrade {upgrade.name} ({upgrade.message}): {found.message}",
        incident=upgrade.incident,
    )
