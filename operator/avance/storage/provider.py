"""What every kind of storage is asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from avance.core.storage import VolumeView


class StorageError(Exception):
    """The storage could not be asked; the message says why and what to do. What is not known is no good then."""


class Provider(Protocol):
    """One storage system."""

    async def read(self, volumes: Collection[str], nodes: Collection[str]) -> Mapping[str, VolumeView]:
        """The copies of these volumes on these nodes, by the volume's name; one that it does not know is left out.

        Raises StorageError, within the request time-out of the pair's spec.
        """
        ...

    async def close(self) -> None:
        """End its connections."""
        ...
