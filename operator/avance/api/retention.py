"""How much of the past a pair keeps, and what its log of actions has told last of each spec."""

from typing import Annotated

from pydantic import Field

from avance.api.base import ApiModel
from avance.api.meta import ObjectName


class Retention(ApiModel):
    """How much of the past is kept. What still counts is kept anyway: open actions, fence evidence, the last crash."""

    actions: Annotated[int, Field(ge=50, le=10000)] = 500
    """How many finished AvanceActions of this pair are kept; the oldest go first."""
    days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """How many days they are kept at most; by default until they are too many."""


class RecordedSpec(ApiModel):
    """A spec as the log of actions has it: what differs from it later is recorded as an Edit."""

    uid: Annotated[str, Field(max_length=64)]
    """Identity of the object."""
    namespace: Annotated[ObjectName, Field(max_length=63)] | None = None
    """Namespace of a ProtectedVM; absent for the pair itself."""
    name: ObjectName
    """Name of the object."""
    generation: Annotated[int, Field(ge=0)]
    """Generation of the spec."""
    fields: Annotated[str, Field(max_length=8192)] = ""
    """The fields that differ from their defaults, as JSON; of long and of secret values a digest. Empty if they are \
too many."""
