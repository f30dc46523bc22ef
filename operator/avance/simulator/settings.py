"""The settings of a scenario's pair: those of `avance.core.policy`, in its spelling or in that of the API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from enum import StrEnum
from typing import Any, TypeVar

from avance.core.channels import ChannelPolicy, MessageKind, MessageSeverity, NotificationPolicy
from avance.core.components import ComponentKind
from avance.core.policy import (
    Mode,
    MtbfPolicy,
    PairPolicy,
    PlacementPolicy,
    RebootPolicy,
    StoragePolicy,
)
from avance.core.storage import StorageProvider
from avance.simulator.sentences import NotUnderstood, seconds

SETTINGS = {
    "mode", "placement", "health", "mtbf", "detection", "fencing", "recovery", "restart", "migration", "limits",
    "storage", "notifications",
}  # fmt: skip
NO_SETTINGS = ("servers", "lag", "resync")

Choice = TypeVar("Choice", bound=StrEnum)


def policy_of(pair: Mapping[str, Any]) -> PairPolicy:
    """The policy that a scenario's `pair` asks for. Raises NotUnderstood."""
    policy = PairPolicy()
    for name, value in pair.items():
        if name in NO_SETTINGS:
            continue
        if name not in SETTINGS:
            raise NotUnderstood(f"a pair has no {name}; it has: {', '.join((*NO_SETTINGS, *sorted(SETTINGS)))}")
        policy = replace(policy, **{name: _setting(name, getattr(policy, name), value)})
    return policy


def _setting(name: str, default: Any, value: Any) -> Any:
    if name == "mode":
        return _one_of(Mode, name, value)
    if name == "placement":
        return _one_of(PlacementPolicy, name, value)
    if name == "storage":
        return _storage(value)
    if name == "notifications":
        return _notifications(default, value)
    if not isinstance(value, dict):
        raise NotUnderstood(f"{name} is written {{setting: value}}; it has: {', '.join(_names(default))}")
    if name == "mtbf":
        return _mtbf(default, value)
    return _replaced(name, default, value, _names(default))


def _names(default: Any) -> list[str]:
    return sorted(each.name for each in fields(default))


def _replaced(what: str, default: Any, given: Mapping[str, Any], known: Iterable[str], beside: str = "") -> Any:
    """The settings with what is given, each of the type that it has."""
    spelled = {_snake(str(key)): value for key, value in given.items()}
    for key, plain in zip(spelled, given, strict=True):
        if key not in known:
            raise NotUnderstood(f"{what} has no {plain}; it has: {', '.join(sorted(known))}{beside}")
    return replace(default, **{key: _typed(f"{what}.{key}", getattr(default, key), spelled[key]) for key in spelled})


def _typed(what: str, default: Any, value: Any) -> Any:
    if isinstance(default, StrEnum):
        return _one_of(type(default), what, value)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise NotUnderstood(f"{what} is true or false, not '{value}'")
    elif isinstance(default, (int, float)):
        if what.endswith("_seconds") and isinstance(value, str):
            return seconds(value)
        if not isinstance(value, (int, float)):
            raise NotUnderstood(f"{what} is a number, not '{value}'")
    return value


def _snake(key: str) -> str:
    """`stabilisationSeconds`, as the API has it, is `stabilisation_seconds`."""
    return key if key[:1].isupper() else re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()


def _one_of(kind: type[Choice], what: str, value: Any) -> Choice:
    try:
        return kind(value)
    except ValueError:
        raise NotUnderstood(f"{what} is one of {', '.join(kind)}, not '{value}'") from None


def _storage(value: Any) -> StoragePolicy:
    """`shared`, `replicated`, or settings of what is replicated."""
    if value == "shared":
        return StoragePolicy()
    replicated = StoragePolicy(StorageProvider.LINSTOR)
    if value == "replicated":
        return replicated
    if not isinstance(value, dict) or value.keys() - {"only_copy_patience_seconds"}:
        raise NotUnderstood("storage is shared, replicated, or {only_copy_patience_seconds: 300}, which is replicated")
    return replace(replicated, **value)


def _notifications(default: NotificationPolicy, value: Any) -> NotificationPolicy:
    """Settings for all, and under `channels` the channels by name, each with what is different for it."""
    if not isinstance(value, dict) or not isinstance(value.get("channels"), dict):
        raise NotUnderstood("notifications are written {channels: {mail: {}}}, beside settings for all of them")
    plain = {key: setting for key, setting in value.items() if key != "channels"}
    known = [each.name for each in fields(default) if each.name != "channels"]
    for_all: NotificationPolicy = _replaced("notifications", default, plain, known, ", channels")
    return replace(for_all, channels=tuple(_channel(name, given or {}) for name, given in value["channels"].items()))


def _channel(name: str, given: Mapping[str, Any]) -> ChannelPolicy:
    plain = {_snake(str(key)): setting for key, setting in given.items()}
    channel = ChannelPolicy(name)
    if "tells" in plain:
        kinds = frozenset(_one_of(MessageKind, f"{name}.tells", kind) for kind in plain.pop("tells"))
        channel = replace(channel, tells=kinds)
    if "minimum_severity" in plain:
        word = str(plain.pop("minimum_severity")).upper()
        if word not in MessageSeverity.__members__:
            raise NotUnderstood(f"{name}.minimumSeverity is one of Info, Warning, Critical, not '{word.capitalize()}'")
        channel = replace(channel, minimum_severity=MessageSeverity[word])
    settings: ChannelPolicy = _replaced(f"channel {name}", channel, plain, ("max_messages_per_hour", "subject", "text"))
    return settings


def _mtbf(default: MtbfPolicy, value: Mapping[str, Any]) -> MtbfPolicy:
    """Settings for all kinds of components, and under the name of a kind what is different for it."""
    kinds = {kind: settings for kind, settings in value.items() if kind in set(ComponentKind)}
    plain = {key: setting for key, setting in value.items() if key not in kinds}
    if "policy" in plain:
        plain["policy"] = _one_of(RebootPolicy, "mtbf.policy", plain["policy"])
    known = [each.name for each in fields(default) if each.name != "kinds"]
    for_all: MtbfPolicy = _replaced("mtbf", default, plain, known, ", and kinds of components")
    return replace(for_all, kinds={ComponentKind(kind): _mtbf(for_all, kinds[kind]) for kind in kinds})
