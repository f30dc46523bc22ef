"""What is kept of the last crash of a node: how long each phase took."""

from typing import Annotated, Literal

from pydantic import Field

from avance.api.base import ApiModel, ListOf, MapBy
from avance.api.meta import NodeName, Time


class CrashPhase(ApiModel):
    """How long one phase of a crash took."""

    phase: Literal["Fence", "PowerOff", "Release", "Boot"]
    """Fence: from the record that the node is held to be dead to the proof that it is off; PowerOff is the part of it \
from the order to the first Off. Release: until KubeVirt had ended the lost instances. Boot: from the order to start a \
VM to its running."""
    seconds: Annotated[int, Field(ge=0)]
    """How long it took; of several VMs, the slowest."""
    budget_seconds: Annotated[int, Field(ge=0)]
    """How long it may take on a sound site."""


class LastCrash(ApiModel):
    """How long the last crash of a node took, phase by phase."""

    node: NodeName
    """The node that crashed."""
    incident: Annotated[str, Field(max_length=128)]
    """Name of the incident; the AvanceActions that belong to it carry it."""
    time: Time
    """When the last VM ran again."""
    phases: Annotated[ListOf[CrashPhase], Field(max_length=8), MapBy("phase")] = ()
    """The phases that it went through."""
