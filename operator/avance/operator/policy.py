"""From the spec of a pair to the policy that the rules read."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from avance.api import pause as api
from avance.api.health import Health
from avance.api.meta import bytes_of, milli_cpu_of
from avance.api.mtbf import Mtbf
from avance.api.notifications import Notifications
from avance.api.pair import PairSpec, Recovery
from avance.core.channels import ChannelPolicy, MessageKind, MessageSeverity, NotificationPolicy
from avance.core.components import COMPONENT_CLASSES, CONDITION_KINDS, ComponentClass, ComponentKind, Severity
from avance.core.health import BEST
from avance.core.policy import (
    DetectionPolicy,
    Failback,
    FencingPolicy,
    HealthPolicy,
    Limits,
    MigrationPolicy,
    Mode,
    MtbfPolicy,
    PairPolicy,
    Pause,
    PlacementPolicy,
    RebootPolicy,
    RecoveryPolicy,
    RestartPolicy,
    StoragePolicy,
)
from avance.core.storage import StorageProvider


def policy_of(spec: PairSpec) -> PairPolicy:
    """Every setting of the spec as a plain value."""
    return PairPolicy(
        mode=Mode(spec.mode),
        health=_health(spec.health),
        mtbf=_mtbf(spec.mtbf),
        detection=DetectionPolicy(
            spec.detection.lease_silence_seconds,
            spec.detection.peer_confirmation_seconds,
            spec.detection.quiet_seconds,
            spec.detection.storm_cooldown_seconds,
        ),
        fencing=FencingPolicy(
            spec.fencing.confirm_seconds, spec.fencing.check_interval_seconds, spec.fencing.attestation_seconds
        ),
        placement=PlacementPolicy(spec.placement.policy),
        recovery=_recovery(spec.recovery),
        restart=RestartPolicy(
            spec.restart.ready_gate_seconds,
            spec.restart.start_timeout_seconds,
            spec.restart.max_restarts,
            spec.restart.max_cold_restarts,
            spec.restart.window_seconds,
        ),
        migration=MigrationPolicy(
            spec.migration.timeout_seconds,
            spec.migration.unschedulable_seconds,
            spec.migration.retry_backoff_seconds,
            spec.migration.apply_recommended_settings,
        ),
        limits=Limits(
            spec.limits.max_vms, milli_cpu_of(spec.limits.reserved_cpu), bytes_of(spec.limits.reserved_memory)
        ),
        storage=StoragePolicy(StorageProvider(spec.storage.provider), spec.storage.only_copy_patience_seconds),
        retained_actions=spec.retention.actions,
        retained_seconds=spec.retention.days * 86400.0 if spec.retention.days else inf,
        pause=pause_of(spec.pause),
        notifications=_notifications(spec.notifications),
    )


def _notifications(spec: Notifications) -> NotificationPolicy:
    channels = (
        ChannelPolicy(
            channel.name,
            frozenset(map(MessageKind, channel.tells)),
            MessageSeverity[channel.minimum_severity.upper()],
            channel.max_messages_per_hour,
            (channel.template.subject if channel.template else None) or "",
            (channel.template.text if channel.template else None) or "",
        )
        for channel in spec.channels
    )
    return NotificationPolicy(
        tuple(channels),
        spec.group_seconds,
        spec.failover_not_ready_seconds,
        spec.remind_seconds,
        spec.give_up_seconds,
    )


def _recovery(recovery: Recovery) -> RecoveryPolicy:
    return RecoveryPolicy(
        recovery.power_on == "Automatic",
        recovery.stabilisation_seconds,
        Failback(recovery.failback),
        recovery.healthy_delay_seconds,
    )


def pause_of(pause: api.Pause | None) -> Pause | None:
    """A pause of a pair or a VM as a plain value."""
    return Pause(pause.until.timestamp(), pause.reason) if pause is not None else None


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
        flap_faults=health.flap_faults,
        flap_window_seconds=health.flap_window_seconds,
    )


def _mtbf(mtbf: Mtbf) -> MtbfPolicy:
    for_all = MtbfPolicy(
        policy=RebootPolicy(mtbf.policy),
        threshold_seconds=mtbf.threshold_seconds,
        minimum_faults=mtbf.minimum_faults,
        attempts=mtbf.attempts,
        window_seconds=mtbf.window_seconds,
        forgiveness_seconds=mtbf.forgiveness_seconds,
        reboot_after_seconds=mtbf.reboot_after_seconds,
    )
    kinds = {}
    for each in mtbf.components:
        different = each.model_dump(exclude={"kind", "policy"}, exclude_none=True)
        policy = for_all.policy if each.policy is None else RebootPolicy(each.policy)
        kinds[ComponentKind(each.kind)] = replace(for_all, policy=policy, **different)
    return replace(for_all, kinds=kinds)


def _overridden(known: ComponentClass, severity: str | None, weight: int | None) -> ComponentClass:
    default = BEST if severity == Severity.FATAL else known.weight
    return replace(
        known,
        severity=known.severity if severity is None else Severity(severity),
        weight=default if weight is None else weight,
    )
