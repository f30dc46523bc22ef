"""From the spec of a pair to the policy that the rules read."""

from __future__ import annotations

from dataclasses import replace

from avance.api.health import Health
from avance.api.meta import bytes_of, milli_cpu_of
from avance.api.pair import PairSpec
from avance.core.components import COMPONENT_CLASSES, CONDITION_KINDS, ComponentClass, ComponentKind, Severity
from avance.core.health import BEST
from avance.core.policy import (
    DetectionPolicy,
    FencingPolicy,
    HealthPolicy,
    Limits,
    MigrationPolicy,
    Mode,
    PairPolicy,
    PlacementPolicy,
    RecoveryPolicy,
    RestartPolicy,
)


def policy_of(spec: PairSpec) -> PairPolicy:
    """Every setting of the spec as a plain value."""
    return PairPolicy(
        mode=Mode(spec.mode),
        health=_health(spec.health),
        detection=DetectionPolicy(spec.detection.lease_silence_seconds, spec.detection.peer_confirmation_seconds),
        fencing=FencingPolicy(spec.fencing.confirm_seconds, spec.fencing.check_interval_seconds),
        placement=PlacementPolicy(spec.placement.policy),
        recovery=RecoveryPolicy(spec.recovery.power_on == "Automatic", spec.recovery.stabilisation_seconds),
        restart=RestartPolicy(spec.restart.ready_gate_seconds, spec.restart.start_timeout_seconds),
        migration=MigrationPolicy(
            spec.migration.timeout_seconds, spec.migration.unschedulable_seconds, spec.migration.retry_backoff_seconds
        ),
        limits=Limits(
            spec.limits.max_vms, milli_cpu_of(spec.limits.reserved_cpu), bytes_of(spec.limits.reserved_memory)
        ),
        retained_actions=spec.retention.actions,
    )


def _health(health: Health) -> HealthPolicy:
    classes = dict(COMPONENT_CLASSES)
    for override in health.components:
        kind = ComponentKind(override.kind)
        classes[kind] = _overridden(classes[kind], override.severity, override.weight)
    kinds = dict(CONDITION_KINDS)
    condition_classes = {}
    for mapping in health.conditions:
        kind = kinds[mapping.type] = ComponentKind(mapping.kind)
        condition_classes[mapping.type] = _overridden(classes[kind], mapping.severity, mapping.weight)
    return HealthPolicy(
        classes=classes,
        conditions=kinds,
        condition_classes=condition_classes,
        margin=health.margin,
        dwell_seconds=health.dwell_seconds,
        minimum_stay_seconds=health.minimum_stay_seconds,
    )


def _overridden(known: ComponentClass, severity: str | None, weight: int | None) -> ComponentClass:
    default = BEST if severity == Severity.FATAL else known.weight
    return replace(
        known,
        severity=known.severity if severity is None else Severity(severity),
        weight=default if weight is None else weight,
    )
