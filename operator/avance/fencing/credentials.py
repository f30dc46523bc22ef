"""From a node's entry in the pair's spec to a fence agent, with the credentials that its Secret holds now."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from avance.api.fence_node import FenceNode
from avance.fencing.agent import FenceAgent, FencingError
from avance.fencing.fence_agents import FenceProgram
from avance.fencing.redfish import RedfishAgent
from avance.kube.client import Kube
from avance.kube.secrets import Secret, SecretUnusable, read_secret

PARAMETER = re.compile("[a-z][a-z0-9_-]*")
"""Name of a parameter of a fence agent."""


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
        make = self._redfish if node.agent == "redfish" else self._program
        agent = make(node, credentials, request_timeout)
        self._agents[node.name] = (origin, agent)
        if known:
            await known[1].close()
        return agent

    def _redfish(self, node: FenceNode, credentials: Secret, request_timeout: float) -> FenceAgent:
        for key in ("username", "password"):
            if not credentials.values.get(key):
                where = f"{self._namespace}/{node.credentials_secret_name}"
                raise FencingError(f"Secret {where} has no key {key}: add it.")
        return RedfishAgent(
            node.address or "",
            credentials.values["username"],
            credentials.values["password"],
            clock=self._clock,
            system_path=node.system_path or "",
            verify_tls=node.verify_tls,
            ca_bundle=credentials.ca_bundle,
            request_timeout=request_timeout,
        )

    def _program(self, node: FenceNode, credentials: Secret, request_timeout: float) -> FenceAgent:
        for key, value in credentials.values.items():
            if not PARAMETER.fullmatch(key) or "\n" in value or "\r" in value:
                where = f"{self._namespace}/{node.credentials_secret_name}"
                raise FencingError(f"Secret {where}, key {key}: name a parameter of {node.agent}, and write one line.")
        return FenceProgram(
            node.agent,
            node.parameters or {},
            credentials.values,
            clock=self._clock,
            system_uuid=node.system_uuid or "",
            ca_bundle=credentials.ca_bundle,
            request_timeout=request_timeout,
        )

    async def close(self) -> None:
        """Close every agent."""
        agents, self._agents = self._agents, {}
        for _, agent in agents.values():
            await agent.close()


async def read_credentials(kube: Kube, namespace: str, name: str) -> Secret:
    """Raises FencingError, saying what to do, when the Secret is missing or unreadable."""
    try:
        return await read_secret(kube, namespace, name, "the keys username and password")
    except SecretUnusable as error:
        raise FencingError(str(error)) from error
