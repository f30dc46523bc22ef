"""The models: immutable, strict about types, lenient about fields that they don't know."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from avance.api import AvanceAction, AvancePair, ProtectedVM
from avance.api.base import camel_case
from avance.api.meta import Condition, Evidence, format_time, parse_time
from avance.api.protected_vm import LastFailover

PAIR: dict[str, Any] = {"metadata": {"name": "site"}, "spec": {"nodeSelector": {"avance.dev/pair": "site"}}}


def with_health(**health: Any) -> dict[str, Any]:
    return {**PAIR, "spec": {**PAIR["spec"], "health": health}}


def test_a_pair_needs_only_its_nodes() -> None:
    pair = AvancePair.parse(PAIR)
    assert pair.spec.mode == "Automatic"
    assert pair.spec.detection.lease_silence_seconds == 14
    assert pair.spec.limits.max_vms == 8
    assert pair.status.nodes == ()


def test_unknown_fields_are_dropped_as_the_api_server_does() -> None:
    assert AvancePair.parse(with_health(fromTheFuture=1)) == AvancePair.parse(with_health())


@pytest.mark.parametrize("margin", ["5", 5.0, True, None])
def test_wrong_types_are_refused_and_the_field_is_named(margin: object) -> None:
    with pytest.raises(ValidationError, match=r"spec\.health\.margin"):
        AvancePair.parse(with_health(margin=margin))


def test_values_out_of_bounds_are_refused() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 100"):
        AvancePair.parse(with_health(margin=101))


def test_objects_cannot_be_changed() -> None:
    pair = AvancePair.parse(PAIR)
    with pytest.raises(ValidationError, match="frozen"):
        pair.spec.health.margin = 1


def test_a_quantity_may_be_a_bare_number() -> None:
    spec = {"nodeSelector": {"a": "b"}, "limits": {"reservedCPU": 2}}
    assert AvancePair.parse({"metadata": {"name": "x"}, "spec": spec}).spec.limits.reserved_cpu == "2"


def test_a_quantity_that_is_none_is_refused() -> None:
    spec = {"nodeSelector": {"a": "b"}, "limits": {"reservedMemory": "2 GB"}}
    with pytest.raises(ValidationError, match="reservedMemory"):
        AvancePair.parse({"metadata": {"name": "x"}, "spec": spec})


def test_names_are_camel_case_with_acronyms_in_capitals() -> None:
    names = ["boot_id", "id", "reserved_cpu", "verify_tls", "system_uuid", "max_vms", "vms", "from_", "mac_address"]
    assert [camel_case(name) for name in names] == [
        "bootID", "id", "reservedCPU", "verifyTLS", "systemUUID", "maxVMs", "vms", "from", "macAddress",
    ]  # fmt: skip


def test_times_keep_their_microseconds_and_are_written_in_utc() -> None:
    moment = datetime(2026, 11, 23, 9, 5, 1, 7, tzinfo=timezone(timedelta(hours=1)))
    assert format_time(moment) == "2026-11-23T08:05:01.000007Z"
    assert parse_time(format_time(moment)) == moment
    failover = LastFailover(time=moment, kind="Graceful", from_="node-a", to="node-b", seconds=4)
    assert failover.to_api() == {
        "time": "2026-11-23T08:05:01.000007Z", "kind": "Graceful", "from": "node-a", "to": "node-b", "seconds": 4,
    }  # fmt: skip
    assert LastFailover.parse(failover.to_api()) == failover


def test_times_as_kubernetes_itself_writes_them() -> None:
    expected = datetime(2026, 11, 23, 8, 5, 1, tzinfo=UTC)
    assert parse_time("2026-11-23T08:05:01Z") == expected
    assert parse_time("2026-11-23T08:05:01.000000999Z") == expected
    with pytest.raises(ValueError, match="time zone"):
        parse_time("2026-11-23T08:05:01")


def test_an_endless_message_is_cut_rather_than_refused() -> None:
    """A long error text of a management controller must not keep the operator from recording what it did."""
    now = datetime.now(UTC)
    evidence = Evidence(
        kind="PowerOffConfirmed", node="node-a", source="https://10.0.0.1", observed_at=now, message="x" * 5000
    )
    assert len(evidence.message) == 1024
    assert evidence.message.endswith("x…")


def test_a_condition_reads_back_as_written() -> None:
    condition = Condition(type="Ready", status="True", reason="AllIsWell", last_transition_time=datetime.now(UTC))
    assert Condition.parse(condition.to_api()) == condition


def test_the_overlay_is_kept_as_it_is() -> None:
    overlay = {"spec": {"domain": {"cpu": {"model": "host-passthrough"}}, "a": [1, {"b": None}]}}
    spec = {
        "pairRef": {"name": "site"},
        "cores": 1,
        "memory": "1Gi",
        "disks": [{"name": "root", "blank": {}, "capacity": "1Gi"}],
        "template": overlay,
    }
    machine = ProtectedVM.parse({"metadata": {"name": "web", "namespace": "default"}, "spec": spec})
    assert machine.spec.template == overlay
    assert machine.to_api()["spec"]["disks"][0]["blank"] == {}


def test_an_action_of_a_person_is_requested() -> None:
    spec = {"pairRef": {"name": "site"}, "type": "Fence", "target": {"kind": "Node", "name": "node-a"}}
    assert AvanceAction.parse({"metadata": {"name": "x"}, "spec": spec}).spec.reason == "Requested"
