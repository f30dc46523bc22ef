"""Leader election in virtual time: the interleavings that decide, and random ones."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avance.kube.lease import LeaderLease, LeadershipLost
from tests.kube import virtual_time
from tests.kube.lease_world import (
    DURATION,
    FOR_EVER,
    MARGIN,
    RENEW_EVERY,
    Candidate,
    Network,
    Passage,
    Store,
    World,
    free_lease,
)

POLL = RENEW_EVERY / 3
TRAVEL = 0.1  # what a few requests take in this world, generously


def in_world(story: Callable[[World], Awaitable[None]], *, lease: bool = True) -> None:
    async def play() -> None:
        world = World(lease=free_lease() if lease else None)
        try:
            await story(world)
        finally:
            await world.close()

    virtual_time.run(play())


def now() -> float:
    return asyncio.get_running_loop().time()


async def leading(candidate: Candidate) -> float:
    """The moment at which the candidate leads, awaited."""
    async with asyncio.timeout(60):
        while candidate.led_at is None:
            await asyncio.sleep(0.01)
    return candidate.led_at


def test_a_free_lease_is_taken_at_once() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "a")
        assert a.lease.remaining() <= 0
        assert a.lease.epoch == 0
        assert await leading(a) < TRAVEL
        assert a.lease.epoch == 1
        assert DURATION - MARGIN - TRAVEL < a.lease.remaining() <= DURATION - MARGIN

    in_world(story)


def test_a_lease_is_free_when_nobody_holds_it_and_not_when_nobody_tells() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "a")
        assert await a.lease.is_free()
        await leading(a)
        b = Candidate(world, "b")
        assert not await b.lease.is_free()
        b.network.down = True
        assert not await b.lease.is_free()

    in_world(story)


def test_a_lease_that_nobody_has_made_yet_is_free() -> None:
    async def story(world: World) -> None:
        assert await LeaderLease(Network(world.store), "avance-system", "avance-operator", "a").is_free()

    in_world(story, lease=False)


def test_every_candidate_knows_how_long_ago_the_lease_was_renewed() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "a")
        assert math.isnan(a.lease.age())
        await leading(a)
        b = Candidate(world, "b")
        await world.go_on(30)
        assert a.lease.age() < RENEW_EVERY + TRAVEL
        assert b.lease.age() < RENEW_EVERY + POLL + TRAVEL

    in_world(story)


def test_a_missing_lease_is_waited_for_like_a_held_one() -> None:
    async def story(world: World) -> None:
        assert DURATION <= await leading(Candidate(world, "a")) < DURATION + TRAVEL

    in_world(story, lease=False)


def test_of_two_candidates_one_leads_and_goes_on_leading() -> None:
    async def story(world: World) -> None:
        a, b = Candidate(world, "a"), Candidate(world, "b")
        await world.go_on(60)
        assert sorted(candidate.led_at is not None for candidate in (a, b)) == [False, True]

    in_world(story)


def test_a_crashed_leader_is_replaced_after_its_duration_and_not_before() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "a")
        await leading(a)
        b = Candidate(world, "b")
        await world.go_on(7.3)
        a.life.cancel()
        crashed = now()
        await world.go_on(DURATION + POLL + TRAVEL)
        assert b.led_at is not None
        assert DURATION - RENEW_EVERY <= b.led_at - crashed <= DURATION + POLL + TRAVEL
        assert world.epochs == [1, 2]

    in_world(story)


def test_a_released_lease_is_taken_at_once() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "a")
        await leading(a)
        b = Candidate(world, "b")
        await world.go_on(5)
        a.stop.set()
        stopped = now()
        await a.life
        assert a.lease.remaining() <= 0
        assert await leading(b) - stopped < 0.3 + POLL + TRAVEL  # 0.3: the guarded effect ends first
        assert world.epochs == [1, 2]

    in_world(story)


def test_a_second_life_of_the_same_pod_waits_like_a_stranger() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "pod-1")
        await leading(a)
        a.life.cancel()
        started = now()
        assert await leading(Candidate(world, "pod-1")) - started >= DURATION

    in_world(story)


def test_hung_renewals_end_the_leadership_before_anyone_can_take_over() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "a")
        await leading(a)
        b = Candidate(world, "b")
        await world.go_on(10)
        a.network.down = True
        cut = now()
        await a.life
        assert a.lost is not None
        assert now() - cut <= DURATION - MARGIN + TRAVEL
        assert not world.effects
        assert b.led_at is None
        await world.go_on(2 * MARGIN)
        assert b.led_at is not None

    in_world(story)


def test_a_deleted_lease_does_not_make_two_leaders() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "a")
        await leading(a)
        a.network.down = True
        world.store.lease = None
        deleted = now()
        b = Candidate(world, "b")
        await world.go_on(DURATION + TRAVEL)
        assert b.led_at is not None
        assert b.led_at - deleted >= DURATION

    in_world(story)


def test_a_leader_whose_lease_was_deleted_steps_down() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "a")
        await leading(a)
        world.store.lease = None
        await a.life
        assert "deleted" in str(a.lost)

    in_world(story)


def test_a_leader_that_was_replaced_steps_down() -> None:
    """However it came about: here somebody edits the Lease by hand."""

    async def story(world: World) -> None:
        a = Candidate(world, "a")
        await leading(a)
        edited = world.store.get()
        edited["spec"]["holderIdentity"] = "somebody"
        world.store.replace(edited)
        await a.life
        assert "somebody has taken over" in str(a.lost)
        assert world.store.get()["spec"]["holderIdentity"] == "somebody"

    in_world(story)


def test_a_foreign_change_to_the_lease_costs_nothing() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "a")
        await leading(a)
        for _ in range(5):
            labelled = world.store.get()
            labelled["metadata"]["labels"] = {"seen": "yes"}
            world.store.replace(labelled)
            await world.go_on(DURATION)
        assert a.lost is None
        assert a.lease.remaining() > 0
        assert world.store.get()["metadata"]["labels"] == {"seen": "yes"}

    in_world(story)


def test_a_renewal_whose_answer_is_lost_is_found_again() -> None:
    async def story(world: World) -> None:
        lost_answers = [Passage(), Passage(), Passage(), Passage(back=FOR_EVER), Passage(), Passage(back=FOR_EVER)]
        a = Candidate(world, "a", passages=lost_answers)
        await world.go_on(30)
        assert a.lost is None
        assert world.epochs == [1]

    in_world(story)


def test_a_late_takeover_of_a_crashed_candidate_does_not_lead() -> None:
    """The write that takes over arrives after its sender gave up: nobody leads by it, and others wait their time."""

    async def story(world: World) -> None:
        a = Candidate(world, "a", passages=[Passage(), Passage(there=4.0, back=FOR_EVER)])
        await world.go_on(0.5)
        a.life.cancel()
        await world.go_on(4.5)
        assert world.store.get()["spec"]["holderIdentity"] == a.lease.holder
        b = Candidate(world, "b")
        await world.go_on(DURATION - 1)
        assert a.led_at is None
        assert b.led_at is None
        assert (await leading(b)) >= 4.0 + DURATION

    in_world(story)


def test_an_effect_longer_than_the_lease_goes_on_while_renewals_succeed() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "a")
        await leading(a)
        async with a.lease.guard():
            await world.go_on(5 * DURATION)

    in_world(story)


def test_a_guard_ends_the_effect_when_leadership_ends() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "a")
        await leading(a)
        a.network.down = True
        cut = now()
        with pytest.raises(LeadershipLost):
            async with a.lease.guard():
                await asyncio.sleep(FOR_EVER)
        assert now() - cut <= DURATION - MARGIN
        await a.life
        with pytest.raises(LeadershipLost):
            async with a.lease.guard():
                pytest.fail("an effect began without leadership")

    in_world(story)


def test_a_timeout_of_the_effect_itself_is_no_loss_of_leadership() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "a")
        await leading(a)
        with pytest.raises(TimeoutError):
            async with a.lease.guard(), asyncio.timeout(0.5):
                await asyncio.sleep(FOR_EVER)
        assert a.lost is None

    in_world(story)


def test_the_lease_is_released_only_after_the_effects_have_ended() -> None:
    async def story(world: World) -> None:
        a = Candidate(world, "a")
        await leading(a)
        b = Candidate(world, "b")
        async with a.lease.guard():
            a.stop.set()
            await asyncio.sleep(2.0)
            with pytest.raises(LeadershipLost):
                async with a.lease.guard():
                    pytest.fail("an effect began after the stop")
            assert world.store.get()["spec"]["holderIdentity"] == a.lease.holder
            assert b.led_at is None
        await a.life
        assert await leading(b) - now() < POLL + TRAVEL

    in_world(story)


@pytest.mark.parametrize("times", [(6.0, 4.5, 1.5), (6.0, 0.0, 1.5), (6.0, 1.5, 0.0), (2.0, 1.5, 1.0)])
def test_times_that_can_not_work_are_refused(times: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="needed"):
        LeaderLease(Network(Store()), "ns", "name", "me", *times)


delays = st.sampled_from([0.01, 0.2, 1.0, 1.4, 1.6, 3.0, 7.0])
passages = st.builds(Passage, there=delays | st.just(FOR_EVER), back=delays | st.just(FOR_EVER)) | st.just(
    Passage(refused=True)
)
lives = st.fixed_dictionaries(
    {
        "start": st.floats(0, 15),
        "offset": st.floats(-1e4, 1e4),
        "rate": st.floats(0.95, 1.05),  # a quarter of the margin in one duration, either way
        "passages": st.lists(passages | st.just(Passage()), max_size=30),
        "end": st.sampled_from(["lives on", "crashes", "stops", "is cut off"]),
        "end_after": st.floats(0, 40),
    }
)


@settings(max_examples=60, deadline=None)
@given(lives=st.lists(lives, min_size=2, max_size=3), deleted_at=st.none() | st.floats(5, 40), installed=st.booleans())
def test_never_two_leaders(lives: list[dict[str, Any]], deleted_at: float | None, installed: bool) -> None:
    async def story(world: World) -> None:
        loop = asyncio.get_running_loop()
        if deleted_at is not None:
            loop.call_at(deleted_at, lambda: setattr(world.store, "lease", None))
        for number, life in enumerate(lives):
            loop.call_at(life["start"], start, world, f"candidate-{number}", life)
        await world.go_on(70)
        if deleted_at is None:
            world.check_epochs()

    def start(world: World, name: str, life: dict[str, Any]) -> None:
        candidate = Candidate(world, name, passages=life["passages"], offset=life["offset"], rate=life["rate"])
        ends: dict[str, Callable[[], object]] = {
            "lives on": lambda: None,
            "crashes": candidate.life.cancel,
            "stops": candidate.stop.set,
            "is cut off": lambda: setattr(candidate.network, "down", True),
        }
        asyncio.get_running_loop().call_later(life["end_after"], ends[life["end"]])

    in_world(story, lease=installed)
