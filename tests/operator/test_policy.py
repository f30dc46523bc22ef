"""The spec of a pair as a policy: the defaults of the schema and those of the rules are the same numbers."""

from datetime import UTC, datetime
from typing import Any

from avance.api import AvancePair
from avance.core.components import ComponentKind, Severity
from avance.core.policy import Failback, Mode, PairPolicy, Pause, PlacementPolicy
from avance.operator.policy import policy_of
from tests.operator.objects import pair


def policy(**spec: Any) -> PairPolicy:
    return policy_of(AvancePair.parse(pair(**spec)).spec)


def test_a_pair_that_says_nothing_has_the_defaults_of_the_rules() -> None:
    assert policy() == PairPolicy()


def test_every_setting_arrives() -> None:
    found = policy(
        mode="Observe",
        detection={"leaseSilenceSeconds": 20, "peerConfirmationSeconds": 5},
        fencing={"confirmSeconds": 3, "checkIntervalSeconds": 30},
        placement={"policy": "Balanced"},
        recovery={
            "powerOn": "Manual",
            "stabilisationSeconds": 90,
            "failback": "Never",
            "healthyDelaySeconds": 45,
        },
        pause={"until": "2026-05-01T18:00:00Z", "reason": "the electrician is here"},
        restart={"readyGateSeconds": 10, "startTimeoutSeconds": 100},
        migration={"timeoutSeconds": 300, "unschedulableSeconds": 15, "retryBackoffSeconds": 7},
        limits={"maxVMs": 4, "reservedCPU": "1500m", "reservedMemory": "1Gi"},
        retention={"actions": 99, "days": 30},
        health={"margin": 9, "dwellSeconds": 11, "minimumStaySeconds": 13},
    )
    assert (found.mode, found.placement, found.retained_actions) == (Mode.OBSERVE, PlacementPolicy.BALANCED, 99)
    assert found.retained_seconds == 30 * 86400
    assert (found.detection.lease_silence_seconds, found.detection.peer_confirmation_seconds) == (20, 5)
    assert (found.fencing.confirm_seconds, found.fencing.check_interval_seconds) == (3, 30)
    recovery = found.recovery
    assert (recovery.power_on, recovery.stabilisation_seconds) == (False, 90)
    assert (recovery.failback, recovery.healthy_delay_seconds) == (Failback.NEVER, 45)
    assert found.pause == Pause(datetime(2026, 5, 1, 18, tzinfo=UTC).timestamp(), "the electrician is here")
    assert (found.restart.ready_gate_seconds, found.restart.start_timeout_seconds) == (10, 100)
    migration = found.migration
    assert (migration.timeout_seconds, migration.unschedulable_seconds, migration.retry_backoff_seconds) == (300, 15, 7)
    limits = found.limits
    assert (limits.max_vms, limits.reserved_cpu_milli, limits.reserved_memory_bytes) == (4, 1500, 1024**3)
    assert (found.health.margin, found.health.dwell_seconds, found.health.minimum_stay_seconds) == (9, 11, 13)


def test_an_override_changes_what_it_names_and_nothing_else() -> None:
    health = policy(
        health={
            "components": [{"kind": "Fan", "weight": 20}],
            "conditions": [
                {"type": "LoudFan", "kind": "Fan", "severity": "Serious"},
                {"type": "FanProblem", "kind": "Temperature"},
            ],
        }
    ).health
    fan = health.classes[ComponentKind.FAN]
    assert (fan.weight, fan.severity, fan.spare_part) == (20, Severity.BENIGN, True)
    loud = health.class_of("LoudFan")
    assert (loud.weight, loud.severity) == (20, Severity.SERIOUS)
    assert health.conditions["FanProblem"] is ComponentKind.TEMPERATURE
    assert health.class_of("PowerSupplyProblem") == PairPolicy().health.class_of("PowerSupplyProblem")


def test_one_pair_s_override_is_not_another_s() -> None:
    policy(health={"components": [{"kind": "Fan", "weight": 20}]})
    assert policy() == PairPolicy()
