"""From a node's entry in the pair's spec to a fence agent, with the credentials that its Secret holds now."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from typing import NamedTuple

from avance.api.pair import FenceNode
from avance.fencing.agent import FenceAgent, FencingError
from avance.fencing.redfish import RedfishAgent
from avance.kube.client import Kube
from avance.kube.errors import ApiError, Forbidden, NotFound
from avance.kube.resources import SECRETS


class Credentials(NamedTuple):
    """Content of a Secret for a BMC: keys `username`, `password`, and optionally `ca.crt`."""

    username: str
    password: str
    ca_bundle: str
    version: str
    """The Secret's resourceVersion."""


class FenceAgents:
    """Keeps one agent per node entry, and replaces it when the entry or the content of its Secret changes."""

    def __init__(self, kube: Kube, namespace: str, clock: Callable[[], float] = time.time) -> None:
        """`namespace`: the operator's own, where the Secrets are. `clock`: epoch seconds, dates the readings."""
        self._kube = kube
        self._namespace = namespace
        self._clock = clock
        self._agents: dict[str, tuple[object, FenceAgent]] = {}

    async def agent(self, node: FenceNode, request_timeout: float) -> FenceAgent:
        """The agent for `node`; reads the Secret each time, so a changed password counts from the next call on.

        The agent belongs to this object: don't close it. Raises FencingError when the Secret can't be used.
        """
        credentials = await read_credentials(self._kube, self._namespace, node.credentials_secret_name)
        origin = (node, request_timeout, credentials.version)
        known = self._agents.get(node.name)
        if known and known[0] == origin:
            return known[1]
        agent = RedfishAgent(
            node.address,
            credentials.username,
            credentials.password,
            clock=self._clock,
            system_path=node.system_path or "",
            verify_tls=node.verify_tls,
            ca_bundle=credentials.ca_bundle,
            request_timeout=request_timeout,
        )
        self._agents[node.name] = (origin, agent)
        if known:
            await known[1].close()
        return agent

    async def close(self) -> None:
        """Close every agent."""
        agents, self._agents = self._agents, {}
        for _, agent in agents.values():
            await agent.close()


async def read_credentials(kube: Kube, namespace: str, name: str) -> Credentials:
    """Raises FencingError, saying what to do, when the Secret or a key of it is missing or unreadable."""
    where = f"Secret {namespace}/{name}"
    try:
        secret = await kube.get(SECRETS, name, namespace)
    except NotFound:
        raise FencingError(f"{where} does not exist: create it with the keys username and password.") from None
    except Forbidden as error:
        raise FencingError(f"{where} may not be read ({error.message}): allow the operator to get it.") from None
    except ApiError as error:
        raise FencingError(f"{where} can't be read now: {error}") from error
    data = secret.get("data") or {}
    for key in ("username", "password"):
        if not data.get(key):
            raise FencingError(f"{where} has no key {key}: add it.")
    try:
        return Credentials(
            _text(data["username"]),
            _text(data["password"]),
            _text(data.get("ca.crt", "")),
            secret["metadata"]["resourceVersion"],
        )
    except (binascii.Error, UnicodeDecodeError) as error:
        raise FencingError(f"{where} holds something that is not text ({error}): write it anew.") from error


def _text(value: str) -> str:
    return base64.b64decode(value, validate=True).decode()
