"""What every model of the API shares: immutability, camelCase names, and CEL rules declared next to the fields.

Parsing follows the API server, which prunes: unknown fields are dropped, wrong types are refused. The docstring under a
field is its description in the CRD and in the API reference.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, Strict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

GROUP = "avance.dev"
VERSION = "v1alpha1"

_ACRONYMS = {"cpu": "CPU", "id": "ID", "tls": "TLS", "uid": "UID", "uuid": "UUID", "vms": "VMs"}

Item = TypeVar("Item")
ListOf = Annotated[tuple[Item, ...], Strict(False)]
"""A list of the API. Immutable in Python; a plain list is accepted when parsing."""


def camel_case(name: str) -> str:
    """Return the API's spelling of a Python field name, acronyms in capitals: `reserved_cpu` -> `reservedCPU`."""
    first, *others = name.split("_")
    return first + "".join(_ACRONYMS.get(part, part.capitalize()) for part in others)


@dataclass(frozen=True)
class Rule:
    """A CEL rule of the API server: in the annotation of a field, or among the `rules` of a model.

    The message is all that a user sees, so it says what to do.
    """

    expression: str
    message: str

    def add_to(self, schema: JsonSchemaValue) -> None:
        """Add the rule to the `x-kubernetes-validations` of a schema."""
        schema.setdefault("x-kubernetes-validations", []).append({"message": self.message, "rule": self.expression})

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        self.add_to(schema)
        return schema


class MapBy:
    """Annotates a list whose items are told apart by these fields, so that several writers can merge their items."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        keywords = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(self.keys)}
        return handler(core_schema) | keywords


class ApiModel(BaseModel):
    """An immutable object of the API; `rules` become its `x-kubernetes-validations`."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="ignore",
        alias_generator=camel_case,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Self:
        """Build the model from an object as the API server gives it.

        Raises pydantic.ValidationError, which names the field, when the object does not fit the schema.
        """
        return cls.model_validate(data)

    def to_api(self) -> dict[str, Any]:
        """Return plain JSON data in the API's spelling; absent values are left out.

        So send it by server-side apply or replace: a merge patch would keep what has become absent.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        for rule in cls.rules:
            rule.add_to(schema)
        return schema


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; those of priority 1 show with `-o wide` alone."""

    name: str
    path: str
    type: Literal["string", "integer", "date", "boolean"] = "string"
    priority: Literal[0, 1] = 0


@dataclass(frozen=True)
class Names:
    """How a kind is called, and whether it lives in a namespace."""

    kind: str
    plural: str
    singular: str
    short: str
    scope: Literal["Cluster", "Namespaced"]


class Resource(ApiModel):
    """A kind of the API: the models of the three kinds derive from it and add `metadata`, `spec` and `status`."""

    names: ClassVar[Names]
    columns: ClassVar[tuple[Column, ...]]


def column_of_condition(name: str, *, field: Literal["status", "reason"] = "status", type_: str = "") -> Column:
    """Return the column that shows a condition's status (or its reason, with `-o wide`)."""
    path = f'.status.conditions[?(@.type=="{type_ or name}")].{field}'
    return Column(name, path, priority=1 if field == "reason" else 0)


def exactly_one(*fields: str) -> str:
    """Return a CEL expression that holds when exactly one of the fields is set."""
    return f"[{', '.join(f'has(self.{field})' for field in fields)}].filter(set, set).size() == 1"
