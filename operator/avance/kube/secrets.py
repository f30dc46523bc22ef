"""Secrets as text: their keys, the certificates of a private authority beside them, and which version it is."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from avance.kube.client import Kube
from avance.kube.errors import ApiError, Forbidden, NotFound
from avance.kube.resources import SECRETS


class SecretUnusable(Exception):
    """A Secret is missing or cannot be read; the message says what to do."""


class Secret(NamedTuple):
    """Content of a Secret."""

    values: dict[str, str]
    """Every key but `ca.crt`."""
    ca_bundle: str
    version: str
    """Its resourceVersion."""


async def read_secret(kube: Kube, namespace: str, name: str, keys: str) -> Secret:
    """The Secret as it is now. `keys`: what it has to hold, as it stands in a sentence. Raises SecretUnusable."""
    where = f"Secret {namespace}/{name}"
    try:
        secret = await kube.get(SECRETS, name, namespace)
    except NotFound:
        raise SecretUnusable(f"{where} does not exist: create it with {keys}.") from None
    except Forbidden as error:
        raise SecretUnusable(f"{where} may not be read ({error.message}): allow the operator to get it.") from None
    except ApiError as error:
        raise SecretUnusable(f"{where} can't be read now: {error}") from error
    try:
        values = {key: _text(value) for key, value in (secret.get("data") or {}).items()}
    except (binascii.Error, UnicodeDecodeError) as error:
        raise SecretUnusable(f"{where} holds something that is not text ({error}): write it anew.") from error
    return Secret(values, values.pop("ca.crt", ""), secret["metadata"]["resourceVersion"])


def _text(value: str) -> str:
    return base64.b64decode(value, validate=True).decode()
