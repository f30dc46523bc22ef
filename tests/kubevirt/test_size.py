"""How much of a server a VM is counted with, by its definition and by its instance type."""

from typing import Any

import pytest

from avance.core.resources import Resources
from avance.kubevirt.size import instance_type_of, reference, size_of

GIB = 1024**3


@pytest.mark.parametrize(
    ("domain", "kind", "size"),
    [
        ({"cpu": {"cores": 2}, "memory": {"guest": "4Gi"}}, None, Resources(200, 4 * GIB)),
        ({"cpu": {"cores": 2, "sockets": 2, "threads": 2}, "memory": {"guest": "1Gi"}}, None, Resources(800, GIB)),
        ({"resources": {"requests": {"cpu": "2", "memory": "1Gi"}}}, None, Resources(2000, GIB)),
        ({"resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}, None, Resources(1000, GIB)),
        ({"cpu": {"cores": 2, "dedicatedCpuPlacement": True}}, None, Resources(2000, 0)),
        ({}, {"cpu": {"guest": 4}, "memory": {"guest": "8Gi"}}, Resources(400, 8 * GIB)),
        (
            {},
            {"cpu": {"guest": 4, "dedicatedCPUPlacement": True}, "memory": {"guest": "8Gi", "overcommitPercent": 50}},
            Resources(4000, 4 * GIB),
        ),
        ({}, None, Resources()),
    ],
)
def test_the_size(domain: dict[str, Any], kind: dict[str, Any] | None, size: Resources) -> None:
    assert size_of(domain, kind) == size


def test_the_copy_that_kubevirt_keeps_counts_more_than_the_instance_type() -> None:
    machine: dict[str, Any] = {"spec": {"instancetype": {"name": "u1.large"}}}
    assert instance_type_of(machine, "shop") == ("VirtualMachineClusterInstancetype", "", "u1.large")
    machine["spec"]["instancetype"]["kind"] = "virtualmachineinstancetypes"
    assert instance_type_of(machine, "shop") == ("VirtualMachineInstancetype", "shop", "u1.large")
    machine["status"] = {"instancetypeRef": {"controllerRevisionRef": {"name": "web-u1.large-v1"}}}
    assert instance_type_of(machine, "shop") == ("ControllerRevision", "shop", "web-u1.large-v1")
    machine["status"]["instancetypeRef"]["name"] = "u1.small"
    assert instance_type_of(machine, "shop") == ("VirtualMachineInstancetype", "shop", "u1.large"), "changed since"
    assert instance_type_of({"spec": {}}, "shop") is None
    assert reference("VirtualMachineClusterInstancetype", "shop", "x")[1] == ""
