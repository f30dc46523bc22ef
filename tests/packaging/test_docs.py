"""The documentation as far as it can be judged without a cluster: links, examples, options of the chart."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from avance.api.action import AvanceAction
from avance.api.pair import AvancePair
from avance.api.protected_vm import ProtectedVM

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
KINDS = {"AvancePair": AvancePair, "ProtectedVM": ProtectedVM, "AvanceAction": AvanceAction}
SCHEMA = json.loads((ROOT / "helm" / "avance" / "values.schema.json").read_text())


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def documents(page: Path) -> list[Any]:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [document for block in blocks for document in yaml.safe_load_all(block)]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{target} does not exist"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{target}: {found.name} has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_object_fits_the_api(page: Path) -> None:
    for document in documents(page):
        if isinstance(document, dict) and document.get("kind") in KINDS:
            KINDS[document["kind"]].model_validate(document)


def options() -> list[tuple[str, str]]:
    """Every `--set` of the documentation."""
    text = "\n".join(page.read_text() for page in PAGES).replace("<registry>", "registry.example")
    return sorted(set(re.findall(r"--set '?([\w.]+)=([^\s`']+)", text)))


@pytest.mark.parametrize(("key", "value"), options(), ids=lambda each: each)
def test_every_option_of_the_chart_exists(key: str, value: str) -> None:
    schema = SCHEMA
    for word in key.split("."):
        assert word in schema["properties"], f"--set {key}: the chart has no such value"
        schema = schema["properties"][word]
    given: Any = value.strip("{}").split(",") if value.startswith("{") else yaml.safe_load(value)
    jsonschema.validate(given, schema)
