"""Where the time of an outage went: until it was noticed, until its server was proven off, until it ran again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from avance.core.model import ActionType, ActionView


class Part(StrEnum):
    """The parts of an outage, in their order."""

    DETECTION = "Detection"
    """Until it was on record what is to be done about it."""
    FENCE = "Fence"
    """Until the server was proven off."""
    RELEASE = "Release"
    """Until KubeVirt had let go of the lost instance, and the VM's turn had come."""
    BOOT = "Boot"
    """Until the next instance ran."""


def parts(vm: str, incident: str, since: float, until: float, actions: Iterable[ActionView]) -> dict[Part, float]:
    """Seconds of each part, as far as the recorded actions tell; what they do not tell belongs to the next part.

    Empty if none of the actions of this incident is on record any more.
    """
    marks = sorted(_marks(vm, incident, tuple(actions)))
    if not marks:
        return {}
    found: dict[Part, float] = {}
    last = since
    for at, part in [*marks, (until, Part.BOOT)]:
        end = min(max(at, last), until)
        if end > last or part is Part.BOOT:
            found[part] = found.get(part, 0.0) + end - last
        last = end
    return found


def _marks(vm: str, incident: str, actions: tuple[ActionView, ...]) -> Iterator[tuple[float, Part]]:
    """When each part ended."""
    its = [action for action in actions if action.incident == incident]
    answers = [a for a in its if a.target == vm and a.type in (ActionType.COLD_RESTART, ActionType.RESTART)]
    fences = [action for action in its if action.type is ActionType.FENCE]
    begun = min((action.created_at for action in (*fences, *answers)), default=None)
    if begun is not None:
        yield begun, Part.DETECTION
    for fence in fences[:1]:
        if fence.evidence is not None:
            yield fence.evidence.observed_at, Part.FENCE
    starts = [at for action in answers for at in (action.started("Start"),) if at is not None]
    if starts:
        yield min(starts), Part.RELEASE
