"""AttestOff: take a person's word that a server is off, for as long as nothing speaks against it."""

from __future__ import annotations

from dataclasses import replace

from avance.core.attestation import why_void, word_of
from avance.core.liveness import Life, judge
from avance.core.model import ActionType, ActionView, NodeView, PairView
from avance.core.progress import Progress, cancel, fail, succeed, wait


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    node = view.node(action.target)
    if node is None:
        return fail("Accept", f"{action.target} is not a node of pair {view.name}")
    fence = _used_by(action, view)
    if fence:
        return succeed("Await", f"{fence.name} relies on it")
    void = why_void(action, view, node, now)
    if void:
        return cancel("Await" if action.evidence else "Accept", f"it does not count: {void}")
    if action.evidence is None:
        return _accept(action, view, node, now)
    expires_at = action.created_at + view.policy.fencing.attestation_seconds
    return wait("Await", f"taken up; it counts until {node.name} is fenced, or gives a sign of life", expires_at)


def _accept(action: ActionView, view: PairView, node: NodeView, now: float) -> Progress:
    verdict = judge(view, node, now)
    if verdict.life is Life.UNHEARD:
        return wait(
            "Accept", f"waiting for a sign of life, or the lack of it: {verdict.because}", verdict.reconsider_at
        )
    if verdict.life is Life.ALIVE:
        return cancel("Accept", f"it does not count: {verdict.because}, whatever anybody says")
    return Progress("Await", f"taken up: {verdict.because}", evidence=word_of(action, node, now))


def _used_by(action: ActionView, view: PairView) -> ActionView | None:
    """The fence whose evidence it became."""
    if action.evidence is None:
        return None
    return next((f for f in view.actions_on(action.target, ActionType.FENCE) if _same_word(f, action)), None)


def _same_word(fence: ActionView, attestation: ActionView) -> bool:
    ours, its = attestation.evidence, fence.evidence
    return ours is not None and its is not None and replace(its, observed_at=ours.observed_at) == ours
