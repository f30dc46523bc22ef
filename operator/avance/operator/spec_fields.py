"""A spec as one line for each field that differs from its default, and what changed from one such spec to another.

What may be secret, and what is long, is neither kept nor told: a digest says that it changed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from avance.api.base import ApiModel

SECRETIVE = re.compile(
    r"userData|networkData|sysprep\.|unattend|password|passwd|token|credential|\.parameters\.|^notifications\..*url",
    re.IGNORECASE,
)
"""Parts of a field's path. Names of Secrets are none: they are what somebody looks for in a log."""
NAME_OF_A_SECRET = re.compile(r"secretName$|SecretName$|\.secretRef\.name$")
SHOWN_LENGTH = 64
DIGEST = "sha256:"
Fields = Mapping[str, str]
"""Path to value, both as in the API; the value as JSON, or as a digest."""


def fields_of(spec: ApiModel) -> Fields:
    """What somebody has chosen: fields that are as they would be anyway are left out."""
    chosen = spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return dict(_leaves("", chosen))


def defaults_of(spec: type[ApiModel]) -> Fields:
    """The value of every field that nobody has to choose."""
    found: dict[str, Any] = {}
    for name, field in spec.model_fields.items():
        value = None if field.is_required() else field.get_default(call_default_factory=True)
        if value not in (None, (), {}):
            found[field.alias or name] = value
    return dict(_leaves("", json.loads(json.dumps(found, default=lambda model: model.to_api()))))


def changes(before: Fields, after: Fields, defaults: Fields) -> tuple[str, ...]:
    """`cores from 2 to 4`, one a field, in the order of their names."""
    paths = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return tuple(_change(path, before.get(path), after.get(path), defaults.get(path)) for path in paths)


def _change(path: str, before: str | None, after: str | None, default: str | None) -> str:
    old, new = before or default, after or default
    if DIGEST in f"{old}{new}":
        what = "removed" if new is None else "set" if old is None else "changed"
        return f"{path} {what} (its value is not shown)"
    if old is None:
        return f"{path} set to {_shown(new or '')}"
    return f"{path} from {_shown(old)} to {_shown(new)}" if new is not None else f"{path} removed, it was {_shown(old)}"


def _shown(value: str) -> str:
    """Without the quotes of JSON."""
    decoded = json.loads(value)
    return decoded if isinstance(decoded, str) and decoded else value


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, held in value.items():
            yield from _leaves(f"{path}.{key}" if path else key, held)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield from _leaves(f"{path}[{item.get('name', number)}]", item)
    else:
        yield path, _value(path, json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _value(path: str, text: str) -> str:
    secret = SECRETIVE.search(f"{path}.") and not NAME_OF_A_SECRET.search(path)
    if secret or len(text) > SHOWN_LENGTH or "\\n" in text:
        return DIGEST + hashlib.sha256(text.encode()).hexdigest()[:16]
    return text
