"""What the API server does with a structural schema, in miniature: fill in defaults, and decide what it accepts."""

import copy
from collections.abc import Callable
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from avance.api.meta import format_time

QUANTITIES = ("0", "1", 3, "64Mi", "1500m", "4Gi", "2e3", ".5G", "1E")


def defaulted(schema: dict[str, Any], value: Any) -> Any:
    """Fill in defaults as the API server does: the absent field's own first, then those inside of it."""
    if isinstance(value, list):
        return [defaulted(schema["items"], item) for item in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    result = dict(value)
    for name, child in schema["properties"].items():
        if name not in result and "default" in child:
            result[name] = copy.deepcopy(child["default"])
        if name in result:
            result[name] = defaulted(child, result[name])
    return result


def accepted(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit a schema, apart from its CEL rules and patterns, absent and unknown fields included."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.sampled_from(QUANTITIES)
    return _BY_TYPE[schema["type"]](schema)


def _object(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "properties" not in schema:
        values = accepted(schema.get("additionalProperties", {"type": "string"}))
        return st.dictionaries(st.text(max_size=8), values, max_size=2)
    fields = {name: accepted(child) for name, child in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=fields | {"fieldOfTheFuture": st.just({"a": [1]})})


def _array(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    least = schema.get("minItems", 0)
    return st.lists(accepted(schema["items"]), min_size=least, max_size=least + 2)


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1), timezones=st.timezones()).map(format_time)
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z"), fullmatch=True).filter(
            lambda text: len(text) <= schema["maxLength"]
        )
    return st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 8), 8))


_BY_TYPE: dict[str, Callable[[dict[str, Any]], st.SearchStrategy[Any]]] = {
    "object": _object,
    "array": _array,
    "string": _text,
    "boolean": lambda _: st.booleans(),
    "integer": lambda schema: st.integers(schema.get("minimum"), schema.get("maximum")),
}
