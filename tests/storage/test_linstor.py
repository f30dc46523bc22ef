"""LINSTOR by real HTTP: what it says of both ends, and every way in which it may say nothing or something wrong."""

import socket
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from avance.core.storage import Connection, DiskState, StorageView, VolumeView
from avance.storage.linstor import Linstor, volumes_of
from avance.storage.provider import StorageError
from e2e.storage.linstor import Controller, Mode

NODES = ("node-a", "node-b")
NAME = "pvc-1"
TIMEOUT = 0.5


@pytest.fixture
def controller() -> Iterator[Controller]:
    with Controller() as controller:
        controller.add(NAME)
        yield controller


@pytest_asyncio.fixture
async def linstor(controller: Controller) -> AsyncIterator[Linstor]:
    provider = Linstor(controller.url, TIMEOUT)
    yield provider
    await provider.close()


async def volume(linstor: Linstor) -> VolumeView:
    return (await linstor.read({NAME}, NODES))[NAME]


def states(view: VolumeView) -> tuple[DiskState, DiskState, Connection]:
    return view.on("node-a").state, view.on("node-b").state, view.link


async def test_two_copies_in_sync(linstor: Linstor, controller: Controller) -> None:
    controller.use(NAME, "node-a")
    assert states(await volume(linstor)) == (DiskState.UP_TO_DATE, DiskState.UP_TO_DATE, Connection.CONNECTED)


async def test_a_resync_is_seen_with_its_percent_and_from_either_end(linstor: Linstor, controller: Controller) -> None:
    controller.resync(NAME, "node-b", 34.5)
    view = await volume(linstor)
    assert states(view) == (DiskState.UP_TO_DATE, DiskState.INCONSISTENT, Connection.CONNECTED)
    assert view.on("node-b").sync_percent == 34.5
    controller.end(NAME, "node-b").disk, controller.end(NAME, "node-b").replication = "UpToDate", "Established"
    assert (await volume(linstor)).on("node-b").state is DiskState.INCONSISTENT  # the source says so
    controller.resync(NAME, "node-b", 100)
    assert states(await volume(linstor))[1] is DiskState.UP_TO_DATE


async def test_a_cut_link_and_the_copy_that_it_outdates(linstor: Linstor, controller: Controller) -> None:
    controller.use(NAME, "node-a")
    controller.cut(NAME, outdated="node-b")
    assert states(await volume(linstor)) == (DiskState.UP_TO_DATE, DiskState.OUTDATED, Connection.DISCONNECTED)


async def test_split_brain_is_seen_although_both_copies_read_up_to_date(
    linstor: Linstor, controller: Controller
) -> None:
    controller.split(NAME)
    view = await volume(linstor)
    assert states(view) == (DiskState.UP_TO_DATE, DiskState.UP_TO_DATE, Connection.SPLIT)
    assert StorageView((view,)).split


async def test_one_end_that_stands_alone_is_a_split(linstor: Linstor, controller: Controller) -> None:
    controller.end(NAME, "node-b").link = "StandAlone"
    assert (await volume(linstor)).link is Connection.SPLIT


async def test_a_lost_disk_goes_on_with_the_other_copy(linstor: Linstor, controller: Controller) -> None:
    controller.lose_disk(NAME, "node-a")
    assert states(await volume(linstor)) == (DiskState.DISKLESS, DiskState.UP_TO_DATE, Connection.CONNECTED)


async def test_a_satellite_that_is_offline_tells_nothing(linstor: Linstor, controller: Controller) -> None:
    controller.offline.add("node-a")
    controller.end(NAME, "node-b").link = "Connecting"
    view = await volume(linstor)
    assert view.on("node-a").state is DiskState.UNKNOWN
    assert view.on("node-b").state is DiskState.UP_TO_DATE
    assert view.link is Connection.DISCONNECTED


async def test_a_copy_without_a_majority_is_vouched_for_by_nobody(linstor: Linstor, controller: Controller) -> None:
    controller.cut(NAME)
    controller.end(NAME, "node-b").may_promote = False
    assert (await volume(linstor)).on("node-b").state is DiskState.CONSISTENT


async def test_a_node_without_a_copy_is_diskless(linstor: Linstor, controller: Controller) -> None:
    controller.end(NAME, "node-b").deployed = False
    assert (await volume(linstor)).on("node-b").state is DiskState.DISKLESS
    controller.end(NAME, "node-b").deployed = controller.end(NAME, "node-b").diskless = True
    assert (await volume(linstor)).on("node-b").state is DiskState.DISKLESS


@pytest.mark.parametrize("word", ["Attaching", "Negotiating", "DUnknown", "a word of the future", ""])
async def test_a_state_that_nobody_knows_is_unknown(linstor: Linstor, controller: Controller, word: str) -> None:
    controller.end(NAME, "node-b").disk = word
    assert (await volume(linstor)).on("node-b").state is DiskState.UNKNOWN


async def test_a_volume_that_it_does_not_know_is_left_out(linstor: Linstor) -> None:
    assert await linstor.read({"pvc-2"}, NODES) == {}


async def test_a_resource_below_encryption_is_found(linstor: Linstor, controller: Controller) -> None:
    wrapped = [
        resource | {"layer_object": {"type": "LUKS", "children": [resource["layer_object"]]}}
        for resource in controller.view()
    ]
    assert volumes_of(wrapped, {NAME}, NODES)[NAME].link is Connection.CONNECTED


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        (Mode.HANGS, "no answer in 0.5 s"),
        (Mode.DRIPS, "no answer in 0.5 s"),
        (Mode.ERROR, "answers 500"),
        (Mode.REDIRECTS, "answers 302"),
        (Mode.GARBAGE, "cannot be asked"),
        (Mode.OTHER_SERVICE, "no list of resources"),
        (Mode.OTHER_SHAPE, "a shape that this release does not know"),
    ],
)
async def test_an_answer_that_is_none_is_told_in_time(
    linstor: Linstor, controller: Controller, mode: Mode, says: str
) -> None:
    controller.mode = mode
    began = time.monotonic()
    with pytest.raises(StorageError, match=says):
        await linstor.read({NAME}, NODES)
    assert time.monotonic() - began < 10 * TIMEOUT
    controller.mode = Mode.NORMAL
    assert states(await volume(linstor))[0] is DiskState.UP_TO_DATE


async def test_a_controller_that_is_away_is_told() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        linstor = Linstor(f"http://127.0.0.1:{reserved.getsockname()[1]}", TIMEOUT)
        with pytest.raises(StorageError, match="cannot be asked"):
            await linstor.read({NAME}, NODES)
        await linstor.close()
