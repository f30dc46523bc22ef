"""What the story expects of the world. A condition says why it does not hold; nothing when it does."""

from e2e.demo.parts import Condition
from e2e.demo.world import Object, World, condition, node_of, status

PAIR = "demo"
SCHEDULABLE = "kubevirt.io/schedulable"


def nodes_ready(*names: str) -> Condition:
    """The nodes are Ready by the word of their kubelets."""

    def why_not(world: World) -> str:
        missing = [name for name in names if condition(world.get("Node", name), "Ready").get("status") != "True"]
        return f"not Ready: {', '.join(missing)}" if missing else ""

    return why_not


def nodes_take_vms(*names: str) -> Condition:
    """virt-handler offers the nodes to VMs."""

    def why_not(world: World) -> str:
        labels = {name: world.get("Node", name).get("metadata", {}).get("labels", {}) for name in names}
        missing = [name for name in names if labels[name].get(SCHEDULABLE) != "true"]
        return f"not labelled {SCHEDULABLE}: {', '.join(missing)}" if missing else ""

    return why_not


def somebody_leads(world: World) -> str:
    """The operator holds its Lease."""
    holder = world.get("Lease", "avance-operator").get("spec", {}).get("holderIdentity")
    return "" if holder and holder.startswith("avance-") else f"Lease avance-operator is held by {holder}"


def pair_is(type_: str, wanted: str = "True") -> Condition:
    """A condition of the pair."""

    def why_not(world: World) -> str:
        found = condition(world.get("AvancePair", PAIR), type_)
        return "" if found.get("status") == wanted else f"{type_} is {found.get('status')}: {found.get('message')}"

    return why_not


def node_state(node: str, *states: str) -> Condition:
    """The state that the pair's status gives a node."""

    def why_not(world: World) -> str:
        found = node_of(world.get("AvancePair", PAIR), node).get("state")
        return "" if found in states else f"{node} is {found}"

    return why_not


def score_is(node: str, value: int, because: str = "") -> Condition:
    """The health score of a node, and the words that explain it."""

    def why_not(world: World) -> str:
        found = node_of(world.get("AvancePair", PAIR), node)
        fits = found.get("score") == value and because in found.get("explanation", "")
        return "" if fits else f"{node} scores {found.get('score')}: {found.get('explanation')}"

    return why_not


def primary_is(node: str) -> Condition:
    """Which node has the more VMs, says the pair."""

    def why_not(world: World) -> str:
        found = status(world.get("AvancePair", PAIR)).get("primary")
        return "" if found == node else f"the primary is {found}"

    return why_not


def vms_run(*names: str, on: str, protected: bool) -> Condition:
    """The instances run there, and their ProtectedVMs say the same, roles included."""

    def why_not(world: World) -> str:
        return "; ".join(filter(None, (_why_not_run(world, name, on, protected) for name in names)))

    return why_not


def _why_not_run(world: World, name: str, on: str, protected: bool) -> str:
    instance, vm = status(world.get("VirtualMachineInstance", name)), world.get("ProtectedVM", name)
    if instance.get("phase") != "Running" or instance.get("nodeName") != on:
        return f"the instance of {name} is {instance.get('phase')} on {instance.get('nodeName')}"
    told = status(vm)
    if (told.get("phase"), told.get("primary")) != ("Running", on) or told.get("backup") in (None, on):
        return f"{name} is {told.get('phase')}, primary {told.get('primary')}, backup {told.get('backup')}"
    found = condition(vm, "Protected")
    if protected and found.get("status") != "True":
        return f"{name} is not protected: {found.get('message')}"
    return ""


def moving_at_once(*names: str) -> Condition:
    """KubeVirt is at work on all of them at the same moment: one beyond its limits would stay Pending."""

    def why_not(world: World) -> str:
        phases = {
            each["spec"]["vmiName"]: status(each).get("phase") for each in world.new("VirtualMachineInstanceMigration")
        }
        under_way = all(phases.get(name) not in (None, "Pending", "Succeeded", "Failed") for name in names)
        return "" if under_way else f"migrations: {phases}"

    return why_not


def done(type_: str, *targets: str, saying: tuple[str, ...] = ()) -> Condition:
    """Since the last deed exactly one action of that type for each target, all of them with success."""

    def why_not(world: World) -> str:
        found = world.new("AvanceAction", type_)
        succeeded = [action["spec"]["target"]["name"] for action in found if status(action).get("phase") == "Succeeded"]
        if sorted(succeeded) != sorted(targets) or len(found) != len(targets):
            return f"{type_}: {'; '.join(map(_brief, found)) or 'none'}"
        unsaid = [word for word in saying if not all(word in action["spec"]["message"] for action in found)]
        return f"{type_} does not say {', '.join(unsaid)}" if unsaid else ""

    return why_not


def _brief(action: Object) -> str:
    told = status(action)
    return f"{action['spec']['target']['name']} {told.get('phase', 'Pending')} at step {told.get('step')}"


def proven_off(node: str) -> Condition:
    """The fence since the last deed has evidence, and of this very node."""

    def why_not(world: World) -> str:
        evidence = [status(action).get("evidence") or {} for action in world.new("AvanceAction", "Fence")]
        proofs = [each for each in evidence if (each.get("node"), each.get("kind")) == (node, "PowerOffConfirmed")]
        return "" if len(proofs) == 1 else f"fence evidence: {evidence or 'none'}"

    return why_not


def closed_to_scheduling(node: str) -> Condition:
    """The scheduler puts nothing there any more."""

    def why_not(world: World) -> str:
        return "" if world.get("Node", node).get("spec", {}).get("unschedulable") else f"{node} is not cordoned"

    return why_not


def untainted(node: str) -> Condition:
    """Every mark that a fence leaves on a node is gone."""

    def why_not(world: World) -> str:
        spec = world.get("Node", node).get("spec", {})
        left = [taint["key"] for taint in spec.get("taints") or ()]
        return f"{node} has taints {left}, unschedulable {spec.get('unschedulable')}" if _marked(spec) else ""

    return why_not


def _marked(spec: Object) -> bool:
    return bool(spec.get("unschedulable") or spec.get("taints"))


def newest_spec_seen(world: World) -> str:
    """The operator has looked at the pair since its spec was changed last."""
    pair = world.get("AvancePair", PAIR)
    wanted, seen = pair["metadata"]["generation"], status(pair).get("observedGeneration")
    return "" if seen == wanted else f"generation {wanted} of the pair, seen {seen}"


def nothing_new(world: World) -> str:
    """Nothing was done since the last deed; that somebody's edit went on record is no deed."""
    actions = [each for each in world.new("AvanceAction") if each["spec"]["type"] != "Edit"]
    found = actions + world.new("VirtualMachineInstanceMigration")
    return "; ".join(each["metadata"]["name"] for each in found)


def not_touched(*names: str) -> Condition:
    """The instances are the same ones as at the last deed."""

    def why_not(world: World) -> str:
        other = [name for name in names if world.instances_before.get(name) != world.instances().get(name)]
        return f"another instance than before: {', '.join(other)}" if other else ""

    return why_not


def started_in_order(*names: str) -> Condition:
    """The instances ran first in this order."""

    def why_not(world: World) -> str:
        times = [_ran_at(world, name) for name in names]
        if None in times:
            return "not all run yet"
        seen = [moment for moment in times if moment is not None]
        return "" if seen == sorted(seen) else f"first seen running at {dict(zip(names, times, strict=True))}"

    return why_not


def _ran_at(world: World, name: str) -> float | None:
    instance = world.get("VirtualMachineInstance", name)
    return world.first_seen.get((instance["metadata"]["uid"], "Running")) if instance else None
