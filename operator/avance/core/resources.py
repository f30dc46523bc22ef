"""What a VM needs and a node has: processors and memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resources:
    cpu_milli: int = 0
    memory_bytes: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(self.cpu_milli + other.cpu_milli, self.memory_bytes + other.memory_bytes)

    def __sub__(self, other: Resources) -> Resources:
        return Resources(self.cpu_milli - other.cpu_milli, self.memory_bytes - other.memory_bytes)

    def beyond(self, room: Resources) -> Resources:
        """What of it does not fit."""
        over = self - room
        return Resources(max(0, over.cpu_milli), max(0, over.memory_bytes))

    def fits_in(self, room: Resources) -> bool:
        return self.cpu_milli <= room.cpu_milli and self.memory_bytes <= room.memory_bytes


NOTHING = Resources()
