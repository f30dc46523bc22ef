"""The chart's values, its schema and the definitions that it carries, as far as they can be judged without helm."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

CHART = Path(__file__).parents[2] / "helm" / "avance"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFINITIONS = sorted((CHART / "files" / "crds").glob("*.yaml"))
SET_BY_A_PARENT_CHART = {"global"}


def key_pairs(
    values: dict[str, Any], schema: dict[str, Any], path: str = ""
) -> Iterator[tuple[str, set[str], set[str]]]:
    """For each object whose keys the schema lists: its path, the keys in values.yaml, the keys in the schema."""
    yield path, set(values), set(schema["properties"]) - SET_BY_A_PARENT_CHART
    for key, value in values.items():
        inner = schema["properties"].get(key, {})
        if isinstance(value, dict) and inner.get("properties") and not is_optional_part(inner):
            yield from key_pairs(value, inner, f"{path}.{key}")


def is_optional_part(schema: dict[str, Any]) -> bool:
    """Objects of the Kubernetes API, of which a user gives as much as is needed."""
    return bool({"requests", "nodeAffinity"} & set(schema["properties"]))


def objects_with_listed_keys(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield schema
        for value in schema.values():
            yield from objects_with_listed_keys(value)


def test_the_default_values_are_valid() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator(SCHEMA).validate(VALUES)


def test_the_schema_lists_exactly_the_values_that_exist() -> None:
    for path, in_values, in_schema in key_pairs(VALUES, SCHEMA):
        assert in_values == in_schema, f"values{path}: make values.yaml and values.schema.json list the same keys"


def test_the_schema_lets_no_misspelt_key_through() -> None:
    objects = list(objects_with_listed_keys(SCHEMA))
    assert len(objects) > 10
    assert all(schema.get("additionalProperties") is False for schema in objects)


def test_every_top_level_value_is_documented() -> None:
    blocks = re.split(r"\n\n+", (CHART / "values.yaml").read_text())
    for key in VALUES:
        block = next(block for block in blocks if re.search(rf"^{key}:", block, re.MULTILINE))
        assert "# --" in block, f"values.yaml: say what {key} is for, in a comment that starts with '# --'"


def test_the_chart_carries_the_generated_definitions() -> None:
    generated = {path.name: path.read_text() for path in (CHART.parents[1] / "crds").glob("*.yaml")}
    assert len(generated) == 3
    assert {path.name: path.read_text() for path in DEFINITIONS} == generated, "run `make crds`"


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_a_definition_has_room_for_what_the_chart_adds(path: Path) -> None:
    """templates/crds.yaml adds labels and annotations to the text, below the only `metadata:` at the left margin."""
    text = path.read_text()
    assert len(re.findall(r"^metadata:\n", text, re.MULTILINE)) == 1
    assert not text.startswith("metadata:")
    assert not {"labels", "annotations"} & set(yaml.safe_load(text)["metadata"])
    assert "{{" not in text
