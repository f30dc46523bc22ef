"""The story holds together: it has its eight steps, its manifests fit the API, and the lab knows each verb."""

import string
from typing import Any

import pytest
import yaml

from avance.api import KINDS
from e2e.demo.parts import Apply, Do, Expect
from e2e.demo.stage import MANIFESTS
from e2e.demo.story import STORY
from e2e.lab.daemon import VERBS

PARTS = [part for step in STORY for part in step.parts]
ADDRESSES = {"bmc_node_a": "https://127.0.0.1:1", "bmc_node_b": "https://127.0.0.1:2"}


def applied() -> list[dict[str, Any]]:
    texts = [(MANIFESTS / part.manifest).read_text() for part in PARTS if isinstance(part, Apply)]
    return [each for text in texts for each in yaml.safe_load_all(string.Template(text).substitute(ADDRESSES))]


def test_it_has_eight_steps_and_every_step_but_the_first_breaks_or_shows_something() -> None:
    assert len(STORY) == 8
    assert all(step.parts for step in STORY)


def test_every_manifest_is_used() -> None:
    used = {part.manifest for part in PARTS if isinstance(part, Apply)}
    assert used == {path.name for path in MANIFESTS.iterdir()}


@pytest.mark.parametrize("manifest", applied(), ids=lambda each: each["metadata"]["name"])
def test_a_manifest_fits_the_api(manifest: dict[str, Any]) -> None:
    kinds = {kind.names.kind: kind for kind in KINDS}
    kinds[manifest["kind"]].parse(manifest)


def test_the_vms_differ_in_size_and_in_tier() -> None:
    vms = [each["spec"] for each in applied() if each["kind"] == "ProtectedVM"]
    assert len({vm["memory"] for vm in vms}) == 3
    assert len({vm["restartPriority"] for vm in vms}) == 3


def test_the_lab_knows_every_verb() -> None:
    assert {part.verb for part in PARTS if isinstance(part, Do)} <= set(VERBS)


def test_every_expectation_has_a_limit_of_at_most_a_minute() -> None:
    limits = [each.seconds for part in PARTS if isinstance(part, Expect) for each in part.expectations]
    assert limits
    assert all(0 < limit <= 60 for limit in limits)
