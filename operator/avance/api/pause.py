"""A pause: a person's order to begin nothing, which ends by itself."""

from typing import Annotated

from pydantic import Field

from avance.api.base import ApiModel
from avance.api.meta import Time


class Pause(ApiModel):
    """Nothing new is begun until then, whatever happens. What it stops is told as what would be done."""

    until: Time
    """When the pause ends by itself, for example 2026-05-01T18:00:00Z. Until then nothing is protected."""
    reason: Annotated[str, Field(min_length=1, max_length=256)]
    """Why, for whoever finds it; shown in conditions."""
