"""Replicated disks as they physically are: two copies of each VM's disks, the writes that reached them, the resync.

The storage behaves as DRBD does with a diskless third vote: whoever writes without the other copy outdates it first if
a third path leads there, and freezes if no path at all leads out. A copy that was cut off from everything, or that has
booted, does not know whether it is the newest. Nothing here knows Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from avance.core.storage import Connection, DiskState, ReplicaView, StorageView, VolumeView
from avance.simulator.world import Guest, Server, World

RESYNC_SECONDS = 20.0
OFFLINE_SECONDS = 5.0
"""For so long the storage goes on telling what a server that has died said last."""

_WHOLE = (DiskState.UP_TO_DATE, DiskState.CONSISTENT, DiskState.OUTDATED)


@dataclass
class Copy:
    """One copy of the disks of one VM."""

    vm: str
    server: Server
    written_at: float
    """When the newest write was made that it holds: its generation."""
    boot_id: str
    state: DiskState = DiskState.UP_TO_DATE
    alone: bool = False
    """It knows that the other copy has missed writes."""
    resync_left: float = 0.0
    """Seconds."""

    @property
    def whole(self) -> bool:
        return self.state in _WHOLE


class Disks:
    """The copies of all VMs on the two servers."""

    def __init__(self, world: World, resync_seconds: float = RESYNC_SECONDS) -> None:
        self._world = world
        self._resync_seconds = resync_seconds
        self._now = world.now
        self._copies: dict[str, tuple[Copy, Copy]] = {}
        self._split: set[str] = set()
        self._last_write: dict[str, float] = {}
        self._told: dict[tuple[str, str], tuple[float, ReplicaView]] = {}
        self._last: dict[str, StorageView] = {}
        self.error = ""
        """Why the storage cannot be asked; empty when it can."""
        self.stale_starts: list[str] = []
        """Starts from a copy that was not the newest, as sentences."""

    def add(self, vm: str) -> None:
        """A new VM, in sync."""
        first, second = self._world.servers.values()
        made_at = self._now
        self._copies[vm] = (Copy(vm, first, made_at, first.boot_id), Copy(vm, second, made_at, second.boot_id))

    def as_seen(self, vm: str, storage: StorageView, holders: tuple[str, ...]) -> None:
        """The copies of a VM as a live pair shows them."""
        self.error = storage.error
        for copy in self._copies[vm]:
            seen = storage.state_on(copy.server.name)
            copy.state = DiskState.CONSISTENT if seen is DiskState.UNKNOWN else seen
            copy.alone = holders == (copy.server.name,)
            copy.resync_left = self._resync_seconds if copy.state is DiskState.INCONSISTENT else 0.0
            if holders and copy.server.name not in holders:
                copy.written_at -= 1.0
        if storage.split:
            self._split.add(vm)

    def tick(self, now: float) -> None:
        passed, self._now = now - self._now, now
        for vm, copies in self._copies.items():
            for copy in copies:
                _notice_boot(copy)
            if self._connected(vm):
                self._meet(vm, passed)
            guest = next(iter(self._world.guests_of(vm)), None)
            if guest is not None:
                self._write(vm, guest)
            for copy in copies:
                self._doubt(copy, guest)

    # ── what may happen to them ──

    def lose(self, server: str) -> None:
        """The disk of a server dies, with every copy on it."""
        for copy in self._on(server):
            copy.state = DiskState.FAILED

    def replace(self, server: str) -> None:
        """A server gets empty disks."""
        for copy in self._on(server):
            self._empty(copy)

    def split(self, vm: str) -> None:
        """The copies of a VM are found to have been written apart from each other."""
        self._split.add(vm)

    def mend(self) -> Iterator[str]:
        """A person puts in new disks, resolves splits, and restores the VMs whose newest copy is lost.

        Yields those that were restored.
        """
        self.error = ""
        for vm, copies in self._copies.items():
            newest = max(copies, key=lambda copy: (copy.whole, copy.written_at))
            if not newest.whole or newest.written_at < self._last_write.get(vm, 0.0):
                for copy in copies:
                    copy.state, copy.written_at, copy.alone = DiskState.UP_TO_DATE, self._now, False
                yield vm
            elif vm in self._split or self._other(newest).state is DiskState.FAILED:
                self._empty(self._other(newest))
        self._split.clear()

    def _empty(self, copy: Copy) -> None:
        copy.state, copy.written_at = DiskState.INCONSISTENT, 0.0
        copy.alone, copy.resync_left = False, self._resync_seconds

    # ── what a starting guest finds ──

    def attach(self, vm: str, server: str) -> bool:
        """Whether a guest gets its disks there; that it gets old ones is kept for the invariants."""
        copies = self._copies[vm]
        own = next(copy for copy in copies if copy.server.name == server)
        other = self._other(own)
        if own.state in (DiskState.UP_TO_DATE, DiskState.CONSISTENT):
            source = own
        elif self._connected(vm) and other.state is DiskState.UP_TO_DATE:
            source = other
        else:
            return False
        if any(copy.whole and copy.written_at > source.written_at for copy in copies):
            self.stale_starts.append(f"{vm} is started on {server} from a copy that is not the newest")
        return True

    def refuses(self, vm: str, server: str) -> bool:
        """The storage itself knows that the copy there is no good."""
        own = next(copy for copy in self._copies[vm] if copy.server.name == server)
        return own.state not in (DiskState.UP_TO_DATE, DiskState.CONSISTENT)

    def generation_on(self, vm: str, server: str) -> float:
        return next(copy.written_at for copy in self._copies[vm] if copy.server.name == server)

    def only_copy_on(self, server: str) -> Iterator[str]:
        """VMs whose newest whole copy is there alone."""
        for copy in self._on(server):
            other = self._other(copy)
            if copy.whole and not (other.whole and other.written_at >= copy.written_at):
                yield copy.vm

    def in_sync(self, vm: str) -> bool:
        states = {copy.state for copy in self._copies[vm]}
        return self._connected(vm) and states == {DiskState.UP_TO_DATE}

    # ── what the storage says ──

    def answer(self) -> dict[str, StorageView]:
        """Of each VM, as whoever can be asked tells it now; else what was told last, and why no more."""
        if not self.error:
            self._last = {vm: StorageView((self._volume(vm, copies),)) for vm, copies in self._copies.items()}
        known = {vm: self._last.get(vm, StorageView()) for vm in self._copies}
        return {vm: replace(told, error=self.error) for vm, told in known.items()}

    def _volume(self, vm: str, copies: tuple[Copy, Copy]) -> VolumeView:
        return VolumeView(f"{vm.rpartition('/')[2]}-disk", tuple(self._replica(copy) for copy in copies))

    def _replica(self, copy: Copy) -> ReplicaView:
        key = (copy.vm, copy.server.name)
        if copy.server.reports:
            self._told[key] = (self._now, self._own_end(copy))
        told_at, told = self._told.get(key, (float("-inf"), ReplicaView(copy.server.name, DiskState.UNKNOWN)))
        fresh = self._now - told_at < OFFLINE_SECONDS
        return told if fresh else ReplicaView(copy.server.name, DiskState.UNKNOWN)

    def _own_end(self, copy: Copy) -> ReplicaView:
        connected = self._connected(copy.vm)
        link = Connection.CONNECTED if connected else Connection.DISCONNECTED
        syncing = connected and copy.state is DiskState.INCONSISTENT
        return ReplicaView(
            node=copy.server.name,
            disk=copy.state,
            connection=Connection.SPLIT if copy.vm in self._split else link,
            sync_percent=round(100 * (1 - copy.resync_left / self._resync_seconds)) if syncing else None,
            seconds_left=round(copy.resync_left) if syncing else None,
        )

    # ── how they behave ──

    def _connected(self, vm: str) -> bool:
        up = all(copy.server.up for copy in self._copies[vm])
        return up and self._world.private_link and vm not in self._split

    def _meet(self, vm: str, passed: float) -> None:
        """Two copies that are connected: the older one is brought up to date."""
        one, other = self._copies[vm]
        if one.whole and other.whole and one.written_at == other.written_at:
            for copy in (one, other):
                copy.state, copy.alone = DiskState.UP_TO_DATE, False
            return
        if one.alone and other.alone and one.whole and other.whole:
            self._split.add(vm)
            return
        source = max((copy for copy in (one, other) if copy.whole), key=lambda copy: copy.written_at, default=None)
        if source is None:
            return
        source.state, target = DiskState.UP_TO_DATE, self._other(source)
        if target.whole:
            target.state, target.alone, target.resync_left = DiskState.INCONSISTENT, False, self._resync_seconds
        elif target.state is DiskState.INCONSISTENT:
            target.resync_left -= passed
            if target.resync_left <= 0:
                target.state, target.written_at = DiskState.UP_TO_DATE, source.written_at
                source.alone = target.alone = False

    def _write(self, vm: str, guest: Guest) -> None:
        own = next(copy for copy in self._copies[vm] if copy.server.name == guest.server)
        other, connected = self._other(own), self._connected(vm)
        if own.whole and (connected or _third_path(own.server)):
            own.written_at = self._last_write[vm] = self._now
            if connected and other.whole:
                other.written_at = self._now
            else:
                own.alone = True
                if other.whole and other.server.up and _third_path(other.server):
                    other.state, other.alone = DiskState.OUTDATED, False
        elif not own.whole and connected and other.whole:
            other.written_at, other.alone = self._now, True
            self._last_write[vm] = self._now
        elif not own.whole:
            self._world.end_guest(guest, "crash")

    def _doubt(self, copy: Copy, guest: Guest | None) -> None:
        """Cut off from everything, it cannot know whether the other one is written to."""
        writes = guest is not None and guest.server == copy.server.name
        cut_off = copy.server.up and not self._connected(copy.vm) and not _third_path(copy.server)
        if cut_off and not writes and not copy.alone and copy.state is DiskState.UP_TO_DATE:
            copy.state = DiskState.CONSISTENT

    def _other(self, copy: Copy) -> Copy:
        one, other = self._copies[copy.vm]
        return other if copy is one else one

    def _on(self, server: str) -> list[Copy]:
        return [copy for copies in self._copies.values() for copy in copies if copy.server.name == server]


def _third_path(server: Server) -> bool:
    """Some path beside the private link leads out of the server."""
    return server.public_link or server.api_link


def _notice_boot(copy: Copy) -> None:
    """After a boot it does not know whether it is the newest, unless it knows that the other one is not."""
    if copy.server.up and copy.boot_id != copy.server.boot_id:
        copy.boot_id = copy.server.boot_id
        if copy.state is DiskState.UP_TO_DATE and not copy.alone:
            copy.state = DiskState.CONSISTENT
