"""A virt-launcher: the container of a launcher pod on a node, with at most one guest in it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from e2e.kubevirt.api import (
    DOMAIN_ANNOTATION,
    MIGRATION_JOB_LABEL,
    Key,
    Object,
    annotations_of,
    controller_uid,
    key_of,
    labels_of,
    uid_of,
)
from e2e.kubevirt.guests import End, Guest, State

_PROBE_PERIOD_S = 10
_PROBE_FAILURES = 3


@dataclass(eq=False)
class Launcher:
    """Lives in the memory of its node: a reboot forgets it."""

    pod: Key
    pod_uid: str
    vmi: Key
    vmi_uid: str
    incoming: bool
    """Waits for a migration instead of starting the guest."""
    container: dict[str, Any]
    started: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    guest: Guest | None = None
    exited: bool = False
    exiting: bool = False
    killed_by: str = ""
    acknowledged: bool = False
    """virt-handler has written the VMI's final phase (or there is none to write)."""
    unresponsive_since: float | None = None
    responded: bool = False
    """The guest has answered here: until then a readiness probe has not succeeded."""

    @classmethod
    def of(cls, pod: Object) -> "Launcher":
        """The container of a pod that starts now."""
        namespace, _ = key_of(pod)
        return cls(
            pod=key_of(pod),
            pod_uid=uid_of(pod),
            vmi=(namespace, annotations_of(pod)[DOMAIN_ANNOTATION]),
            vmi_uid=controller_uid(pod),
            incoming=MIGRATION_JOB_LABEL in labels_of(pod),
            container=pod["spec"]["containers"][0],
        )

    @property
    def guest_ended(self) -> bool:
        """Whether there was a guest and it is over."""
        return self.guest is not None and self.guest.state is State.ENDED

    @property
    def migrated_away(self) -> bool:
        """Whether its guest went on elsewhere."""
        return self.guest is not None and self.guest.end is End.MIGRATED

    @property
    def ended_unreported(self) -> bool:
        """Whether its guest executed and ended here and virt-handler has yet to write that down."""
        executed = self.guest is not None and self.guest.run is not None and not self.migrated_away
        return executed and not self.acknowledged

    def note_responsiveness(self) -> None:
        """Remembers since when the guest answers no probe."""
        responsive = self.guest is not None and self.guest.state is State.RUNNING and self.guest.agent
        if responsive or (self.incoming and not (self.guest and self.guest.executing)):
            self.unresponsive_since = None
            self.responded = responsive
        elif self.unresponsive_since is None:
            self.unresponsive_since = asyncio.get_running_loop().time()

    def ready_in(self) -> float | None:
        """Seconds until the readiness probe is tried for the first time; None if it was, or if there is none."""
        settings = self.container.get("readinessProbe")
        if settings is None:
            return None
        left = self.started + float(settings.get("initialDelaySeconds") or 0) - asyncio.get_running_loop().time()
        return left if left > 0 else None

    @property
    def ready(self) -> bool:
        """Whether the kubelet calls the container ready: not before the first success of a readiness probe."""
        if self.container.get("readinessProbe") is None:
            return True
        failing = self.probe_failure_in("readinessProbe")
        return self.ready_in() is None and self.responded and (failing is None or failing > 0)

    def probe_failure_in(self, probe: str) -> float | None:
        """Seconds until that probe (`livenessProbe`, `readinessProbe`) has failed for good; None if it succeeds."""
        settings = self.container.get(probe)
        if settings is None or self.unresponsive_since is None:
            return None
        since = max(self.unresponsive_since, self.started + float(settings.get("initialDelaySeconds") or 0))
        period = float(settings.get("periodSeconds") or _PROBE_PERIOD_S)
        failures = int(settings.get("failureThreshold") or _PROBE_FAILURES)
        return since + period * failures - asyncio.get_running_loop().time()
