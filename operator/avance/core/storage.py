"""What the storage says of the copies of a VM's disks: one replica a volume and node, seen from both ends.

Nothing here decides; the rules on it are in `replication`. What is not known is never good.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class StorageProvider(StrEnum):
    """Who is asked for the state of the disks."""

    NONE = "None"
    """Nobody: the disks are on storage that both servers reach."""
    LINSTOR = "Linstor"
    LONGHORN = "Longhorn"
    CONDITIONS = "Conditions"
    """The detectors on the nodes, by their ReplicaStorageProblem conditions."""


class DiskState(StrEnum):
    """The state of one copy, from the best to the worst."""

    UP_TO_DATE = "UpToDate"
    CONSISTENT = "Consistent"
    """Whole, but whether it is the newest copy nobody can vouch for."""
    UNKNOWN = "Unknown"
    OUTDATED = "Outdated"
    """Whole, and known not to be the newest."""
    INCONSISTENT = "Inconsistent"
    """Being resynchronised, or left half-way."""
    DISKLESS = "Diskless"
    """There is no copy on this node; it can reach the other one's."""
    FAILED = "Failed"

    @property
    def lost(self) -> bool:
        return self in (DiskState.DISKLESS, DiskState.FAILED)


class Connection(StrEnum):
    """The replication link of one copy to the other one, from the best to the worst."""

    CONNECTED = "Connected"
    UNKNOWN = "Unknown"
    DISCONNECTED = "Disconnected"
    SPLIT = "Split"
    """Both copies were written apart from each other: split brain."""


_DISK_RANK = {state: rank for rank, state in enumerate(DiskState)}
_LINK_RANK = {state: rank for rank, state in enumerate(Connection)}


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """One copy of one volume, as its own end and the other end tell it."""

    node: str
    disk: DiskState
    """What its own end says."""
    connection: Connection = Connection.UNKNOWN
    """What its own end says of the link to the other copy."""
    peer_says: DiskState | None = None
    """What the other end holds this copy to be; None when it does not say."""
    sync_percent: float | None = None
    """0 to 100 while it is being resynchronised."""
    seconds_left: float | None = None
    """Until it is resynchronised, estimated; None when that cannot be told."""

    @property
    def state(self) -> DiskState:
        """Two ends may disagree: the worse counts."""
        return worse(self.disk, self.peer_says)

    @property
    def syncing(self) -> bool:
        return self.sync_percent is not None


@dataclass(frozen=True, slots=True)
class VolumeView:
    name: str
    replicas: tuple[ReplicaView, ...] = ()

    def on(self, node: str) -> ReplicaView:
        """The copy on a node; one that nobody tells of is unknown."""
        return next((each for each in self.replicas if each.node == node), ReplicaView(node, DiskState.UNKNOWN))

    @property
    def link(self) -> Connection:
        """Two ends may disagree: the worse counts."""
        states = [each.connection for each in self.replicas] or [Connection.UNKNOWN]
        return max(states, key=_LINK_RANK.__getitem__)


@dataclass(frozen=True, slots=True)
class StorageView:
    """The last answer of the storage on all volumes of one VM."""

    volumes: tuple[VolumeView, ...] = ()
    error: str = ""
    """Why it cannot be asked now, in words; the volumes are then what it said last, and prove nothing."""
    asked_at: float | None = field(default=None, compare=False)
    """When the question was put to which this is the answer; None if it tells without being asked."""

    def state_on(self, node: str) -> DiskState:
        """The worst state of the VM's copies on a node; unknown while the storage cannot be asked."""
        return DiskState.UNKNOWN if self.error else self.last_told(node)

    def last_told(self, node: str) -> DiskState:
        """The same by the last word of the storage, however old that is."""
        if not self.volumes:
            return DiskState.UNKNOWN
        return max((volume.on(node).state for volume in self.volumes), key=_DISK_RANK.__getitem__)

    @property
    def link(self) -> Connection:
        if self.error or not self.volumes:
            return Connection.UNKNOWN
        return max((volume.link for volume in self.volumes), key=_LINK_RANK.__getitem__)

    @property
    def split(self) -> tuple[VolumeView, ...]:
        """The volumes whose copies have gone apart, by the last word of the storage."""
        return tuple(volume for volume in self.volumes if volume.link is Connection.SPLIT)


@dataclass(frozen=True, slots=True)
class Written:
    """Which copies hold what the VM wrote last. Kept outside the pair, in the VM's status.

    A number that goes up by one each time the VM begins to write without the other copy, as the storage itself begins a
    new generation then; and the nodes that hold that generation.
    """

    generation: int
    holders: tuple[str, ...]
    """In the order of their names."""


def worse(one: DiskState, other: DiskState | None) -> DiskState:
    """The worse of two opinions on one copy."""
    return one if other is None else max(one, other, key=_DISK_RANK.__getitem__)
