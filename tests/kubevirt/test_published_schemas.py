"""Everything that the operator writes for KubeVirt, held against KubeVirt's published schemas. Strictly."""

import copy
from typing import Any

import pytest

from avance.kubevirt import verbs
from tests.kubevirt.protected_vms import EXAMPLES, manifest
from tests.kubevirt.published_schemas import errors
from tests.kubevirt.recorder import recording

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Object = dict[str, Any]
MIGRATIONS = "/apis/kubevirt.io/v1/namespaces/shop/virtualmachineinstancemigrations"


def virtual_machine(**spec: Any) -> Object:
    """As `Kube.apply` sends it."""
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", **manifest(**spec)}


async def migration() -> Object:
    async with recording({f"POST {MIGRATIONS}": (201, {})}) as (recorder, kube):
        await verbs.migrate(kube, "shop", "web", "migrate-web-1", "node-b", 30.0)
    [(_, body)] = recorder.sent
    return body


@pytest.mark.parametrize("name", EXAMPLES)
def test_kubevirt_knows_every_field_of_a_virtual_machine(name: str) -> None:
    assert errors(virtual_machine(**EXAMPLES[name])) == []


async def test_kubevirt_knows_every_field_of_a_migration() -> None:
    assert errors(await migration()) == []


def _misspelt(path: str, wrong: str) -> Object:
    vm = copy.deepcopy(virtual_machine(**EXAMPLES["Windows with everything"]))
    place: Any = vm
    *way, last = path.split("/")
    for step in way:
        place = place[int(step)] if step.isdigit() else place[step]
    place[wrong] = place.pop(last)
    return vm


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("spec/runStrategy", "runstrategy"),
        ("spec/template/spec/evictionStrategy", "evictionPolicy"),
        ("spec/template/spec/readinessProbe/guestAgentPing", "guestAgentPinged"),
        ("spec/template/spec/domain/devices/panicDevices", "panicDevice"),
        ("spec/template/spec/domain/devices/disks/0/disk", "disc"),
        ("spec/template/spec/domain/features/hyperv/vapic", "vApic"),
        ("spec/template/spec/affinity/nodeAffinity", "nodeAffinities"),
        ("spec/template/spec/tolerations/0/operator", "op"),
        ("metadata/ownerReferences", "owners"),
    ],
)
def test_a_misspelt_field_is_found_wherever_it_is(path: str, wrong: str) -> None:
    [*found] = errors(_misspelt(path, wrong))
    assert any(f"'{wrong}' was unexpected" in error for error in found), found


def test_a_value_of_the_wrong_type_is_found() -> None:
    vm = virtual_machine()
    vm["spec"]["template"]["spec"]["domain"]["cpu"]["cores"] = "two"
    assert errors(vm) == ["$.spec.template.spec.domain.cpu.cores: 'two' is not of type 'integer'"]


async def test_a_migration_with_a_field_that_kubevirt_would_drop_is_found() -> None:
    body = await migration()
    body["spec"]["targetNode"] = "node-b"
    assert any("'targetNode' was unexpected" in error for error in errors(body))
