"""What a definition tells about the fields that the API server keeps."""

from typing import Any

import pytest

from avance.operator.kubevirt_watch import TARGET, has_field

OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(schema: dict[str, Any], version: str = "v1") -> dict[str, Any]:
    return {"spec": {"versions": [{"name": version, "schema": {"openAPIV3Schema": schema}}]}}


def of_spec(spec: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": spec}}


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        (of_spec({"type": "object", "properties": {"addedNodeSelector": {"type": "object"}}}), True),
        (of_spec({"type": "object", "properties": {"vmiName": {"type": "string"}}}), False),
        (of_spec({"type": "object"}), False),
        (of_spec(OPEN), True),
        (OPEN, True),
        ({"type": "object"}, False),
    ],
)
def test_a_field_is_kept_if_the_schema_names_it_or_is_open(schema: dict[str, Any], kept: bool) -> None:
    assert has_field(definition(schema), "v1", TARGET) is kept


def test_a_version_that_is_not_served_has_no_fields() -> None:
    assert not has_field(definition(OPEN, "v1alpha3"), "v1", TARGET)
