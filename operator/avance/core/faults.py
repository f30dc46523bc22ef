"""From the Node conditions that node-problem-detector sets to faults of single components.

The message of a problem condition names the component, by the convention
`component=<id> state=<...> part=<...> serial=<...> detail=<free text>`, several components separated by `; `.
A message that does not follow it still is a fault: of the kind as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from avance.core.components import ComponentKind, Severity
from avance.core.policy import HealthPolicy

DECLARED_FAILED = "is declared failed"
FLAPS = "comes and goes"

_NEXT_COMPONENT = re.compile(r";\s*(?=component=)")
_FIELD = re.compile(r"(component|state|part|serial)=(\S+)")
_DETAIL = re.compile(r"\bdetail=(.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class NodeCondition:
    """One condition of a Node's status."""

    type: str
    status: str
    """`True`, `False` or `Unknown`, as the API has it."""
    since: float
    """Its last transition by the clock of the node, seconds since the epoch: a name, never compared with now."""
    observed_at: float
    """When the operator first saw it with this status, by the operator's clock."""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A component of a node that is failed now."""

    node: str
    kind: ComponentKind
    component: str
    noun: str
    severity: Severity
    weight: int
    spare_part: bool
    condition: str
    since: float
    observed_at: float
    message: str
    part: str = ""
    serial: str = ""
    held: str = ""
    """Why it counts although no detector reports it now: DECLARED_FAILED or FLAPS; empty for what is reported."""

    @property
    def serious(self) -> bool:
        """A service of the node is lost with it."""
        return self.severity is not Severity.BENIGN

    @property
    def sentence(self) -> str:
        """`power supply PSU2 of node-a failed`."""
        return f"{self.name} of {self.node} {self.held or 'failed'}"

    @property
    def name(self) -> str:
        """`power supply PSU2`, and `private link` where the component is called no otherwise."""
        plain = self.component in ("", self.noun.replace(" ", "-"))
        return self.noun if plain else f"{self.noun} {self.component}"


def active_faults(node: str, conditions: Iterable[NodeCondition], policy: HealthPolicy) -> tuple[Fault, ...]:
    """The faults that a node's conditions report, gravest first.

    A condition of status Unknown is no fault: its detector cannot tell, and what is not known is not broken.
    """
    faults = [
        fault
        for condition in conditions
        if condition.status == "True" and condition.type in policy.conditions
        for fault in _faults_of(node, condition, policy)
    ]
    return tuple(sorted(faults, key=lambda fault: (-fault.weight, fault.kind, fault.component)))


def _faults_of(node: str, condition: NodeCondition, policy: HealthPolicy) -> Iterator[Fault]:
    component_class = policy.class_of(condition.type)
    for text in _NEXT_COMPONENT.split(condition.message):
        fields = dict(_FIELD.findall(_DETAIL.sub("", text)))
        detail = _DETAIL.search(text)
        yield Fault(
            node=node,
            kind=policy.conditions[condition.type],
            component=fields.get("component", ""),
            noun=component_class.noun,
            severity=component_class.severity,
            weight=component_class.weight,
            spare_part=component_class.spare_part,
            condition=condition.type,
            since=condition.since,
            observed_at=condition.observed_at,
            message=(detail.group(1) if detail else text).strip(),
            part=fields.get("part", ""),
            serial=fields.get("serial", ""),
        )
