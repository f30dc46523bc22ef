"""The health check of a VM, as KubeVirt runs it: always a readiness probe, never a liveness probe.

A failed readiness probe is told (the instance's Ready condition turns False, reason ContainersNotReady) and nothing
else is done, so that avance can weigh it. A failed liveness probe has the kubelet end the guest by itself, in the
middle of a migration or a snapshot too; and KubeVirt refuses to pause a VM that has one.
"""

from __future__ import annotations

from typing import Any

from avance.api.health_checks import GuestAgentPing, HealthChecks, Probe
from avance.core.guest import HealthCheck

Object = dict[str, Any]


def readiness_probe(checks: HealthChecks) -> Object:
    """The part of the instance's spec; empty without a check."""
    asked = _asked(checks)
    if asked is None:
        return {}
    probe: Object = {"periodSeconds": asked.period_seconds, "failureThreshold": asked.failure_threshold}
    if isinstance(asked, GuestAgentPing):
        return {"readinessProbe": {"guestAgentPing": {}, **probe}}
    how = asked.model_dump(mode="json", by_alias=True, exclude_none=True, include={"http_get", "tcp_socket", "exec"})
    return {"readinessProbe": {**how, "timeoutSeconds": asked.timeout_seconds, **probe}}


def health_check(checks: HealthChecks) -> HealthCheck | None:
    """The same check as the rules know it; None without one."""
    asked = _asked(checks)
    if asked is None:
        return None
    patience = float(asked.period_seconds * asked.failure_threshold)
    return HealthCheck(
        patience_seconds=patience,
        boot_seconds=float(asked.initial_delay_seconds),
        by_agent=isinstance(asked, GuestAgentPing),
        watchdog_resets=checks.watchdog == "Reset",
    )


def _asked(checks: HealthChecks) -> GuestAgentPing | Probe | None:
    return checks.guest_agent_ping if checks.guest_agent_ping.enabled else checks.probe
