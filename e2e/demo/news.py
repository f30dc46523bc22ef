"""From a change of an object to a line for the reader; most changes are none worth telling."""

from collections.abc import Iterator

from e2e.demo.times import seconds_between
from e2e.demo.world import Object, condition, node_of, status

_PAIR_CONDITIONS = ("Redundant", "FailoverReady", "PrivateLinkHealthy")


def news(kind: str, before: Object, now: Object) -> list[str]:
    """What to tell about a change; `before` is empty for a new object, `now` for one that is gone."""
    if not now:
        return []
    tell = {"AvancePair": _pair, "ProtectedVM": _vm, "AvanceAction": _action, "Node": _node}.get(kind)
    return list(tell(before, now)) if tell else []


def _node(before: Object, now: Object) -> Iterator[str]:
    name = now["metadata"]["name"]
    for each in status(now).get("conditions") or ():
        bad = each["type"] == "PeerUnreachable" or each["type"].endswith("Problem")
        previous = condition(before, each["type"]).get("status")
        if before and bad and previous != each["status"] and "True" in (previous, each["status"]):
            yield f"{name}: {each['type']} {each['status']}: {each['message']}"


def _pair(before: Object, now: Object) -> Iterator[str]:
    for node in status(now).get("nodes") or ():
        previous = node_of(before, node["name"])
        if previous.get("score") != node["score"]:
            yield f"health of {node['name']}: {node['explanation']}"
        if previous.get("state") != node["state"]:
            yield f"{node['name']} is {node['state']}"
    if status(before).get("primary") != status(now).get("primary"):
        yield f"primary of the pair: {status(now).get('primary')}"
    for type_ in _PAIR_CONDITIONS:
        found = condition(now, type_)
        if found and condition(before, type_).get("status") != found["status"]:
            yield f"pair {type_}: {found['status']} ({found['message']})"


def _vm(before: Object, now: Object) -> Iterator[str]:
    if _roles(before) != _roles(now) and status(now).get("phase"):
        phase, primary, backup, protected = _roles(now)
        where = f" on {primary}, backup {backup}" if primary else ""
        yield f"{now['metadata']['name']}: {phase}{where}" + ("" if protected == "True" else ", not protected")


def _roles(vm: Object) -> tuple[str | None, ...]:
    told = status(vm)
    return told.get("phase"), told.get("primary"), told.get("backup"), condition(vm, "Protected").get("status")


def _action(before: Object, now: Object) -> Iterator[str]:
    spec, told = now["spec"], status(now)
    name = f"{spec['type']} {spec['target']['name']}"
    if not before:
        where = f" to {spec['destination']}" if spec.get("destination") else ""
        yield f"{name}{where}, {spec['reason']}: {spec['message']}"
    if told.get("finishedAt") and not status(before).get("finishedAt"):
        took = seconds_between(told["startedAt"], told["finishedAt"])
        yield f"{name} {told['phase']} after {took:.1f} s"
    elif told.get("step") and told["step"] != status(before).get("step"):
        message = next((step["message"] for step in told["steps"] if step["name"] == told["step"]), "")
        yield f"{name}, {told['step']}: {message}"
