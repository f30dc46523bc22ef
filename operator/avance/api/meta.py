"""The small types that all kinds share: metadata, conditions, references, evidence, points in time, and quantities."""

import math
import re
from datetime import UTC, datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from avance.api.base import ApiModel, Rule

# --- points in time ---------------------------------------------------------------------------------------------------


def format_time(moment: datetime) -> str:
    """Write an aware datetime as the API does: UTC, RFC 3339, microseconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time of any precision; raises ValueError when it names no time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} names no time zone: end it with Z or an offset such as +01:00")
    return moment


Time = Annotated[
    datetime,
    BeforeValidator(lambda value: parse_time(value) if isinstance(value, str) else value),
    PlainSerializer(format_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A point in time: an aware datetime in Python, RFC 3339 with microseconds in the API."""

# --- quantities -------------------------------------------------------------------------------------------------------

_NUMBER = r"(?:[0-9]{1,18}(?:[.][0-9]{0,18})?|[.][0-9]{1,18})"
_SUFFIX = r"(?:[eE][+-]?[0-9]{1,2}|[KMGTPE]i|[numkMGTPE])?"
QUANTITY_PATTERN = f"^{_NUMBER}{_SUFFIX}$"
"""Quantities without a sign and of sensible length; Kubernetes' own parser takes more, even a unit without a number."""
_DECIMAL_SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIXES = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse_quantity(text: str) -> Fraction:
    """Return the exact value of a Kubernetes quantity such as `4Gi`, `1500m` or `2e3`.

    Raises ValueError when the text is no quantity.
    """
    match = re.fullmatch(f"({_NUMBER})({_SUFFIX})", text)
    if match is None:
        raise ValueError(f"{text!r} is no quantity: write a number and a unit, for example 4Gi, 500M, 1500m or 2")
    number, suffix = Fraction(match[1]), match[2]
    if suffix in _BINARY_SUFFIXES:
        return number * (1 << _BINARY_SUFFIXES[suffix])
    exponent = _DECIMAL_SUFFIXES[suffix] if suffix in _DECIMAL_SUFFIXES else int(suffix[1:])
    return number * Fraction(10) ** exponent


def bytes_of(quantity: str) -> int:
    """Return a quantity of memory or storage in bytes, rounded up as Kubernetes does."""
    return math.ceil(parse_quantity(quantity))


def milli_cpu_of(quantity: str) -> int:
    """Return a quantity of processors in thousandths of one, rounded up as Kubernetes does."""
    return math.ceil(parse_quantity(quantity) * 1000)


def _quantity_text(value: Any) -> Any:
    """Let `2` pass for `"2"`, as the API does, and refuse what is no quantity."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str):
        parse_quantity(text)
    return text


Quantity = Annotated[
    str,
    BeforeValidator(_quantity_text),
    WithJsonSchema({"x-kubernetes-int-or-string": True}),
    Rule(f"string(self).matches('{QUANTITY_PATTERN}')", "write a number and a unit, for example 4Gi, 1500m or 2"),
]
"""A Kubernetes quantity, kept as the user wrote it; bytes_of() and milli_cpu_of() give its value."""

# --- names ------------------------------------------------------------------------------------------------------------

_DNS_LABEL_RULE = Rule(
    "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    "use lower-case letters, digits and '-' only, beginning and ending with a letter or digit",
)
_DNS_NAME_RULE = Rule(
    "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
    "use the name of a Kubernetes object: lower-case letters, digits, '-' and '.' only",
)

DnsLabel = Annotated[str, Field(min_length=1, max_length=63), _DNS_LABEL_RULE]
ObjectName = Annotated[str, Field(min_length=1, max_length=253), _DNS_NAME_RULE]
NodeName = ObjectName

_MESSAGE_LENGTH = 1024


def _shortened(value: Any) -> Any:
    """Cut what the API server would refuse: an endless error text must not keep a step from being recorded."""
    too_long = isinstance(value, str) and len(value) > _MESSAGE_LENGTH
    return value[: _MESSAGE_LENGTH - 1] + "…" if too_long else value


Message = Annotated[str, BeforeValidator(_shortened), Field(max_length=_MESSAGE_LENGTH)]
"""A sentence for people. In Python a longer one is cut."""

# --- objects ----------------------------------------------------------------------------------------------------------


class ObjectMeta(ApiModel):
    """The part of Kubernetes' metadata that the operator reads."""

    name: str
    """Name of the object."""
    namespace: str | None = None
    """Namespace; absent for cluster-scoped kinds."""
    uid: str = ""
    """Identity of this object among all of this name."""
    generation: int = 0
    """Counts the changes of the spec."""
    resource_version: str = ""
    """Version to which optimistic concurrency refers."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations."""
    finalizers: tuple[str, ...] = Field(default=(), strict=False)
    """What must be done before the object may go."""
    creation_timestamp: Time | None = None
    """When the object was created."""
    deletion_timestamp: Time | None = None
    """When its deletion was asked for."""


class Condition(ApiModel):
    """An observation, in Kubernetes' standard form."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """What is observed."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why, as one CamelCase word; the same word as in events, logs and metrics."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, as a sentence for people."""
    last_transition_time: Time
    """When the status changed last."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that this observation is about."""


class PairRef(ApiModel):
    """Names the AvancePair that an object belongs to."""

    name: Annotated[ObjectName, Field(max_length=40)]
    """Name of the AvancePair."""


class Evidence(ApiModel):
    """Recorded proof that a node runs nothing any more; without it no VM is started elsewhere."""

    kind: Literal["PowerOffConfirmed", "GracefulLeaveRecorded", "OperatorAttested"]
    """What was proved, and how. PowerOffConfirmed: the management controller said exactly Off, twice. \
GracefulLeaveRecorded: the node's kubelet reported an orderly shutdown and the end of every VM before it went silent. \
OperatorAttested: a person said so."""
    node: NodeName
    """The node that it is about."""
    source: Annotated[str, Field(max_length=512)]
    """Who said so: the address of the management controller, the node's kubelet, or the person."""
    system_uuid: Annotated[str, Field(max_length=128)] | None = None
    """UUID of the machine that the management controller governs; it is the node's own."""
    boot_id: Annotated[str, Field(max_length=128)] | None = None
    """Boot of the node that the power-off ended; evidence about an earlier boot proves nothing."""
    heartbeat: Annotated[str, Field(max_length=128)] | None = None
    """The node's last signs of life (Lease renewed, status reported, virt-handler heard); a later one contradicts \
the evidence."""
    observed_at: Time
    """When the last reading was made."""
    message: Message = ""
    """The readings, as a sentence."""
