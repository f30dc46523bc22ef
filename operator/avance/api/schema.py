"""From pydantic's JSON schema to the structural schema that a CRD needs.

The API server wants no references, no null types and no titles, and fills in nested defaults only where the object
around them has a default of its own; hence `default: {}` on groups. Status schemas carry no defaults: the operator
writes them whole.
"""

from typing import Any

from avance.api.base import Resource

Schema = dict[str, Any]

_DROPPED = frozenset({"title", "$defs"})
_ORDER = (
    "description",
    "type",
    "format",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
    "required",
    "properties",
    "additionalProperties",
    "items",
)


def structural_schema(kind: type[Resource]) -> Schema:
    """Return the openAPIV3Schema of a kind.

    Raises ValueError when a model uses something that a structural schema cannot say.
    """
    source = kind.model_json_schema(by_alias=True, mode="validation")
    definitions: Schema = source.get("$defs", {})
    properties = source["properties"]
    status = _without_defaults(_convert(properties["status"], definitions))
    root = {
        "description": _one_line(source["description"]),
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _convert(properties["spec"], definitions),
            "status": status,
        },
    }
    if rules := source.get("x-kubernetes-validations"):
        root["x-kubernetes-validations"] = rules
    return _ordered(root)


def _convert(node: Schema, definitions: Schema) -> Schema:
    node = _resolve(node, definitions)
    unknown = node.keys() - set(_ORDER) - {"const"}
    if unknown:
        raise ValueError(f"a structural schema cannot say {', '.join(sorted(unknown))}: simplify {node}")
    result = {key: value for key, value in node.items() if key != "const"}
    if "const" in node:
        result["enum"] = [node["const"]]
    if "description" in node:
        result["description"] = _one_line(node["description"])
    if "properties" in node:
        result["properties"] = {name: _convert(child, definitions) for name, child in node["properties"].items()}
    if "items" in node:
        result["items"] = _convert(node["items"], definitions)
    if isinstance(node.get("additionalProperties"), dict):
        result["additionalProperties"] = _convert(node["additionalProperties"], definitions)
    elif node.get("additionalProperties") is True:
        del result["additionalProperties"]
    if "default" in node:
        del result["default"]
        result |= _default(result, node["default"])
    return _ordered(result)


def _resolve(node: Schema, definitions: Schema) -> Schema:
    """Replace a reference by what it refers to, and `X or null` by X; the keywords beside them win."""
    node = {key: value for key, value in node.items() if key not in _DROPPED}
    if "$ref" in node:
        target = definitions[node.pop("$ref").removeprefix("#/$defs/")]
        return _resolve(_merged(target, node), definitions)
    if "anyOf" in node:
        options = [option for option in node.pop("anyOf") if option != {"type": "null"}]
        if len(options) != 1:
            raise ValueError(f"a structural schema cannot say that a value is one of several types: {options}")
        return _resolve(_merged(options[0], node), definitions)
    return node


def _merged(target: Schema, beside: Schema) -> Schema:
    """Merge a type's schema with a field's own keywords; the CEL rules of both apply."""
    rules = [*target.get("x-kubernetes-validations", ()), *beside.get("x-kubernetes-validations", ())]
    return {**target, **beside, **({"x-kubernetes-validations": rules} if rules else {})}


def _default(node: Schema, value: Any) -> Schema:
    """Return the keyword for a default value, or nothing when it is the same as an absent field."""
    if value in (None, "", [], {}):
        return {}
    if "properties" in node:
        return {"default": {}}  # the fields have their own
    return {"default": _without_nulls(value)}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _without_defaults(node: Schema) -> Schema:
    result = {key: value for key, value in node.items() if key != "default"}
    if "properties" in result:
        result["properties"] = {name: _without_defaults(child) for name, child in result["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), dict):
            result[key] = _without_defaults(result[key])
    return result


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _ordered(node: Schema) -> Schema:
    return {key: node[key] for key in sorted(node, key=_ORDER.index)}
