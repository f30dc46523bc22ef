"""How long a resynchronisation will still take, by how far it came while it was watched."""

from __future__ import annotations

from dataclasses import replace

from avance.core.storage import ReplicaView, VolumeView

WATCHED_SECONDS = 10.0
"""A rate that was watched for less than this is a guess."""


class SyncProgress:
    """Remembers since when and from where each copy has been seen to catch up."""

    def __init__(self) -> None:
        self._began: dict[tuple[str, str], tuple[float, float]] = {}

    def estimate(self, volume: VolumeView, now: float) -> VolumeView:
        """The volume with the time left filled in where that can be told."""
        return replace(volume, replicas=tuple(self._replica(volume.name, each, now) for each in volume.replicas))

    def _replica(self, volume: str, replica: ReplicaView, now: float) -> ReplicaView:
        key, percent = (volume, replica.node), replica.sync_percent
        if percent is None:
            self._began.pop(key, None)
            return replica
        since, origin = self._began.setdefault(key, (now, percent))
        if percent < origin:  # it has begun anew
            self._began[key] = since, origin = now, percent
        if replica.seconds_left is not None or percent == origin or now - since < WATCHED_SECONDS:
            return replica
        return replace(replica, seconds_left=(100.0 - percent) * (now - since) / (percent - origin))
