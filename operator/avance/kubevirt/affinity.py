"""Where a VM may run: on the two nodes of its pair, preferring one, and no taint of a silent node ever ends it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]

HOSTNAME_LABEL = "kubernetes.io/hostname"

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_TROUBLES = ("not-ready", "unreachable")


def pair_affinity(own: Object | None, hostnames: Iterable[str], preferred: str) -> Object:
    """The VM's own affinity, and beside it the pair's nodes and the preferred one (by their hostname labels).

    Which node of the pair it prefers is avance's to say: what the VM preferred of nodes is left out.
    """
    affinity = dict(own or {})
    pair = _among(hostnames)
    terms = ((affinity.get("nodeAffinity") or {}).get(_REQUIRED) or {}).get("nodeSelectorTerms") or [{}]
    within = [{**term, "matchExpressions": [pair, *(term.get("matchExpressions") or ())]} for term in terms]
    affinity["nodeAffinity"] = {
        _REQUIRED: {"nodeSelectorTerms": within},
        _PREFERRED: [{"weight": 100, "preference": {"matchExpressions": [_among([preferred])]}}],
    }
    return affinity


def pair_tolerations(own: Iterable[Object] | None = None) -> list[Object]:
    """Tolerations without a time limit for nodes that are silent, before the VM's own: the first that fits counts.

    Their default would have the guest shut down when a server comes back from a partition of more than five minutes.
    """
    ours: list[Object] = [
        {"key": f"node.kubernetes.io/{trouble}", "operator": "Exists", "effect": "NoExecute"} for trouble in _TROUBLES
    ]
    return ours + [each for each in own or () if each not in ours]


def _among(hostnames: Iterable[str]) -> Object:
    return {"key": HOSTNAME_LABEL, "operator": "In", "values": sorted(hostnames)}


def without_pair(affinity: Object | None, ours: Object | None) -> Object | None:
    """An affinity that somebody has changed, less what avance had put into it (`ours`); None if nothing is left."""
    rest = dict(affinity or {})
    nodes = dict(rest.pop("nodeAffinity", None) or {})
    put = (ours or {}).get("nodeAffinity") or {}
    terms = (put.get(_REQUIRED) or {}).get("nodeSelectorTerms") or [{}]
    pair = next(iter(terms[0].get("matchExpressions") or ()), None)
    required = nodes.pop(_REQUIRED, None) or {}
    left = [_less(term, pair) for term in required.get("nodeSelectorTerms") or ()]
    if any(left):
        nodes[_REQUIRED] = {"nodeSelectorTerms": [term for term in left if term]}
    preferred = [each for each in nodes.pop(_PREFERRED, None) or () if each not in (put.get(_PREFERRED) or ())]
    if preferred:
        nodes[_PREFERRED] = preferred
    if nodes:
        rest["nodeAffinity"] = nodes
    return rest or None


def _less(term: Object, pair: Object | None) -> Object:
    expressions = [each for each in term.get("matchExpressions") or () if each != pair]
    rest = {key: value for key, value in term.items() if key != "matchExpressions"}
    return rest | ({"matchExpressions": expressions} if expressions else {})


def why_not_on(template: Object, node: str, labels: dict[str, str]) -> str:
    """Why the definition of a VM keeps it off a node with these labels, in words; empty if it may run there."""
    for key, value in (template.get("nodeSelector") or {}).items():
        if labels.get(key) != value:
            return f"its node selector asks for {key}={value}, which {node} does not have"
    required = ((template.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    terms = required.get("nodeSelectorTerms") or ()
    if terms and not any(_fits(term, node, labels) for term in terms):
        return f"its required node affinity leaves {node} out"
    return ""


def _fits(term: Object, node: str, labels: dict[str, str]) -> bool:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False  # as the scheduler has it: an empty term fits no node
    return all(_holds(each, labels) for each in expressions) and all(
        _holds(each, {"metadata.name": node}) for each in fields
    )


def _holds(expression: Object, labels: dict[str, str]) -> bool:
    """One requirement on a node's labels, as the scheduler reads it."""
    key, operator, values = expression["key"], expression["operator"], expression.get("values") or ()
    has = key in labels
    match operator:
        case "In":
            return has and labels[key] in values
        case "NotIn":
            return not has or labels[key] not in values
        case "Exists":
            return has
        case "DoesNotExist":
            return not has
        case "Gt" | "Lt":
            return has and _compares(labels[key], operator, values)
    return False


def _compares(value: str, operator: str, values: Iterable[str]) -> bool:
    try:
        number, limit = int(value), int(next(iter(values)))
    except (ValueError, StopIteration):
        return False
    return number > limit if operator == "Gt" else number < limit
