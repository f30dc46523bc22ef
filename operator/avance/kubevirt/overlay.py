"""Strategic merging of a user's `template` overlay, and the question whether an object holds what was asked for."""

from __future__ import annotations

from typing import Any


def merged(base: Any, overlay: Any) -> Any:
    """`overlay` laid over `base`: maps key by key, lists of named items by name, all else replaced; null removes."""
    if isinstance(overlay, dict):
        result = dict(base) if isinstance(base, dict) else {}
        for key, value in overlay.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = merged(result.get(key), value)
        return result
    if _named(base) and _named(overlay):
        return _merged_by_name(base, overlay)
    return overlay


def holds(live: Any, wanted: Any) -> bool:
    """Whether `live` has everything that `wanted` has; what others added to maps doesn't matter."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(holds(live.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same_length = isinstance(live, list) and len(live) == len(wanted)
        return same_length and all(holds(one, other) for one, other in zip(live, wanted, strict=True))
    return bool(live == wanted)


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "name" in item for item in value)


def _merged_by_name(base: list[Any], overlay: list[Any]) -> list[Any]:
    laid = {item["name"]: item for item in overlay}
    kept = [merged(item, laid.pop(item["name"], {})) for item in base]
    return kept + list(laid.values())
