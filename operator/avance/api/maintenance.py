"""What is remembered of a server that a person works on."""

from typing import Annotated

from pydantic import Field

from avance.api.base import ApiModel
from avance.api.meta import Message, Time


class MaintenanceStatus(ApiModel):
    """Since when a node is in maintenance, for whom and why. It ends with a LeaveMaintenance, and with nothing else."""

    since: Time
    """Since when."""
    by: Annotated[str, Field(max_length=256)] = ""
    """Who asked for it."""
    message: Message = ""
    """Why."""
    empty: bool = True
    """Whether it is known to hold no VM of the pair; while it is not, the death of the node is one like any other."""
