"""The pair of docs/cli.md: a power supply has just failed, one VM has moved, the other is on its way."""

from dataclasses import replace
from datetime import UTC, datetime

from avance.core.installation import Site
from avance.core.kubevirt_health import KubeVirtHealth
from avance.core.migration_settings import MigrationSettings
from avance.core.model import ActionPhase, ActionType, ActionView, InstanceView, StepView, VmPhase
from avance.core.surroundings import Surroundings
from avance.operator.glimpse import Glimpse
from tests.cli.glimpses import seen
from tests.core.views import action, fault, launcher, node, pair, reads, running

AT = datetime(2026, 5, 1, 9, 14, 7, tzinfo=UTC).timestamp()
PREFIXES = ("cpu-model", "host-model-cpu", "cpu-model-migration")
OPERATOR = "system:serviceaccount:avance-system:avance"


def look() -> Glimpse:
    broken = fault("PowerSupplyProblem", "PSU2", part="750W-PT", serial="PS7731", since=AT - 6, message="no AC input")
    a = node("node-a", power=reads("On", at=AT), faults=(broken,), heard_at=AT - 1)
    b = node("node-b", power=reads("On", "node-b", at=AT), heard_at=AT - 1)
    till = replace(running("till", "node-b", moved_at=AT - 2), namespace="shop")
    life = InstanceView("web-1", VmPhase.RUNNING, "node-a", ready=True, migratable=True)
    web = replace(running("web", instance=life), namespace="shop")
    pods = tuple(replace(launcher(vm, vm.node), namespace="shop") for vm in (till, web))
    view = replace(pair(a, b, (till, web), pods, actions()), name="shop", surroundings=Surroundings(
        AT - 86400, MigrationSettings(in_cluster=8, from_node=8), KubeVirtHealth()))  # fmt: skip
    return seen(view, now=AT)


def actions() -> tuple[ActionView, ...]:
    why = {"reason": "BackupHealthier", "message": "power supply PSU2 of node-a failed; node-a scores 92, node-b 100",
           "requested_by": OPERATOR, "destination": "node-b"}  # fmt: skip
    started = action(
        ActionType.START, "shop/web", created_at=AT - 86400, finished_at=AT - 86388, reason="ShallRun",
        message="its spec says that it shall run", requested_by=OPERATOR, destination="node-a",
        steps=(StepView("Boot", AT - 86400, message="shop/web starts on node-a"),), result="shop/web runs on node-a",
    )  # fmt: skip
    called = action(
        ActionType.CALL_HOME, "node-a", created_at=AT - 6, reason="PowerSupplyProblem", requested_by=OPERATOR,
        message="power supply PSU2 of node-a failed", finished_at=AT - 5.9,
        steps=(StepView("Report", AT - 6, message="power supply PSU2 of node-a failed"),),
        result="power supply PSU2 of node-a failed",
    )  # fmt: skip
    moved = action(
        ActionType.MIGRATE, "shop/till", created_at=AT - 6, finished_at=AT - 2, result="shop/till runs on node-b",
        steps=steps("shop/till", "Succeeded"), **why,
    )  # fmt: skip
    moving = action(
        ActionType.MIGRATE, "shop/web", ActionPhase.RUNNING, created_at=AT - 6, current="Copy",
        steps=steps("shop/web", "Running"), **why,
    )  # fmt: skip
    return started, called, moved, moving


def steps(vm: str, stage: str) -> tuple[StepView, StepView]:
    asking = StepView("Move", AT - 5.9, message=f"asking KubeVirt to move {vm} to node-b")
    return asking, StepView("Copy", AT - 5, message=f"moving {vm} to node-b: {stage}")


def shop_site() -> Site:
    view = replace(look().view, surroundings=Surroundings(kubevirt=KubeVirtHealth(), migrations=MigrationSettings()))
    silent = reads("", error="https://10.0.0.11 did not answer within 5 s: check address and cable.", at=AT)
    a = replace(view.nodes[0], power=silent, faults=())
    labels = {f"{prefix}.node.kubevirt.io/Skylake-Server-IBRS": "true" for prefix in PREFIXES}
    return Site(
        view=replace(view, nodes=(a, view.nodes[1])),
        exists=True,
        nobody_acts="",
        kubevirt_version="v1.6.1",
        kubevirt_phase="Deployed",
        labels={"node-a": labels, "node-b": labels},
        shared_storage=True,
        skews={"node-a": 0.1, "node-b": -0.1},
    )
