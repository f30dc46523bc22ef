"""Many pairs take turns, and what cannot wait gets its turn between them."""

import asyncio
from itertools import pairwise

from avance.operator.pacing import STATUS_WRITERS, Pacing


async def test_between_two_looks_everything_else_gets_its_turn() -> None:
    pacing, looks, seen = Pacing(), 0, []

    async def look() -> None:
        nonlocal looks
        async with pacing.computing():
            looks += 1

    async def renewal() -> None:
        while looks < 100:
            seen.append(looks)
            await asyncio.sleep(0)

    await asyncio.gather(renewal(), *(look() for _ in range(100)))
    assert looks == 100
    assert max(later - earlier for earlier, later in pairwise(seen)) <= 1


async def test_few_pairs_write_their_statuses_at_a_time() -> None:
    pacing, writing, most = Pacing(), 0, 0
    release = asyncio.Event()

    async def write() -> None:
        nonlocal writing, most
        async with pacing.telling():
            writing += 1
            most = max(most, writing)
            await release.wait()
            writing -= 1

    writers = [asyncio.create_task(write()) for _ in range(10 * STATUS_WRITERS)]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*writers)
    assert most == STATUS_WRITERS


async def test_an_error_in_a_turn_does_not_keep_the_others_waiting() -> None:
    pacing = Pacing()
    for turn in (pacing.computing, pacing.telling):
        for _ in range(STATUS_WRITERS + 1):
            try:
                async with asyncio.timeout(5), turn():
                    raise ValueError
            except ValueError:
                pass
