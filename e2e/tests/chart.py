"""Renders the chart with the real helm, for the tests of it."""

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "avance"
RELEASE = "avance"
NAMESPACE = "avance-system"


class HelmError(Exception):
    """What helm wrote to standard error."""


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that is given twice, as the API server does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise HelmError(f"a key is given twice {node.start_mark}: {keys}")
        return super().construct_mapping(node, deep)


class Helm:
    """The program, with its caches in `home` and away from the user's; with a kubeconfig it can install."""

    def __init__(self, program: Path, home: Path, kubeconfig: Path | None = None) -> None:
        self._program = program
        self._environment = os.environ | {
            "HELM_CACHE_HOME": str(home),
            "HELM_CONFIG_HOME": str(home),
            "HELM_DATA_HOME": str(home),
            "KUBECONFIG": str(kubeconfig or os.devnull),
        }

    def run(self, *arguments: str) -> str:
        """What it printed. Raises HelmError."""
        command = [str(self._program), *arguments]
        completed = subprocess.run(command, capture_output=True, text=True, env=self._environment)
        if completed.returncode:
            raise HelmError(completed.stderr + completed.stdout)
        return completed.stdout

    def template(self, *arguments: str) -> list[dict[str, Any]]:
        """The objects of the release, in the order of their installation. Raises HelmError."""
        text = self.run("template", RELEASE, str(CHART), "--namespace", NAMESPACE, *arguments)
        return [document for document in yaml.load_all(text, _StrictLoader) if document]


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Those of one kind."""
    return [document for document in objects if document["kind"] == kind]


def only(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The one object of a kind. Raises ValueError if there is another number of them."""
    (document,) = of_kind(objects, kind)
    return document
