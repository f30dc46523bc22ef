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

_ACRONYMS = {"cpu": "CPU", "id": "ID", "tls": "TLS", "uuid": "UUID", "vms": "VMs"}

Item = TypeVar("Item")
ListOf = Annotated[tuple[Item, ...], Strict(False)]
"""A list of the API. Immutable in Python; a plain list is accepted when parsing."""


def camel_case(name: str) -> str:
    """Return the API's spelling of a Python field name, acronyms in capitals: `reserved_cpu` -> `reservedCPU`."""
    first, *others = name.split("_")
    return first + "".join(_ACRONYMS.get(part, part.capitalize()) for part in others)


@dataclass(frozen=True)
class Rule:
    """A CEL rule of the API server. The message is all that a user sees, so it says what to do."""

    expression: str
    message: str

    def schema(self) -> dict[str, str]:
        """Return the rule as an item of `x-kubernetes-validations`."""
        return {"rule": self.expression, "message": self.message}


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
        """Return plain JSON data in the API's spelling; absent values are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        if cls.rules:
            schema["x-kubernetes-validations"] = [rule.schema() for rule in cls.rules]
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


def schema_extra(*rules: Rule, **keywords: Any) -> dict[str, Any]:
    """Return `json_schema_extra` for a Field: CEL rules about this field's value, and further schema keywords."""
    extra = dict(keywords)
    if rules:
        extra["x-kubernetes-validations"] = [rule.schema() for rule in rules]
    return extra


def map_by(*keys: str) -> dict[str, Any]:
    """Return the schema keywords of a list whose items are told apart by these fields, so that writers can merge."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def column_of_condition(name: str, *, field: Literal["status", "reason"] = "status", type_: str = "") -> Column:
    """Return the column that shows a condition's status (or its reason, with `-o wide`)."""
    path = f'.status.conditions[?(@.type=="{type_ or name}")].{field}'
    return Column(name, path, priority=1 if field == "reason" else 0)
