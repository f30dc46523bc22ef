"""The conditions of this Node at the API server, read and patched with the service account of the pod."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TIMEOUT = 2.0
"""Seconds for each step of a request. A connection that died with an API server must not hold up the next try."""


class ApiError(Exception):
    """The API server did not answer, or refused; the message says what."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API server is, and how this program shows who it is."""

    url: str
    token: Path | None = None
    authority: Path | None = None

    @classmethod
    def of_this_pod(cls) -> Access:
        """Raises ApiError outside a pod."""
        try:
            host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        except KeyError:
            raise ApiError("this runs in no pod: name the API server with --api-server") from None
        address = f"[{host}]" if ":" in host else host
        return cls(f"https://{address}:{port}", _ACCOUNT / "token", _ACCOUNT / "ca.crt")


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One Node's status. Its methods block, for a few seconds at the most."""

    access: Access
    node: str

    def conditions(self) -> dict[str, dict[str, str]]:
        """The conditions by type. Raises ApiError."""
        answer = self._request("GET", f"/api/v1/nodes/{self.node}", None, "")
        return {each["type"]: each for each in answer.get("status", {}).get("conditions") or ()}

    def patch(self, conditions: list[dict[str, str]]) -> None:
        """Set these conditions and leave all others as they are. Raises ApiError."""
        body = {"status": {"conditions": conditions}}
        self._request("PATCH", f"/api/v1/nodes/{self.node}/status", body, "application/strategic-merge-patch+json")

    def _request(self, method: str, path: str, body: Any, content_type: str) -> dict[str, Any]:
        headers = {"Accept": "application/json", "User-Agent": "avance-detectors"}
        try:
            if self.access.token is not None:  # read each time: it is renewed
                headers["Authorization"] = f"Bearer {self.access.token.read_text().strip()}"
            if content_type:
                headers["Content-Type"] = content_type
            connection = self._connection()
            try:
                connection.request(method, path, json.dumps(body) if body is not None else None, headers)
                response = connection.getresponse()
                content = response.read()
            finally:
                connection.close()
            answer = json.loads(content)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiError(f"{method} {path}: {error!r}") from error
        if response.status >= 300 or not isinstance(answer, dict):
            said = answer.get("message") if isinstance(answer, dict) else ""
            raise ApiError(f"{method} {path}: {response.status} {said}")
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        """A fresh one for each request: there are few, and an old one may lead to a server that is dead."""
        url = urlsplit(self.access.url)
        if url.scheme != "https":
            return http.client.HTTPConnection(url.netloc, timeout=_TIMEOUT)
        context = ssl.create_default_context(cafile=str(self.access.authority) if self.access.authority else None)
        return http.client.HTTPSConnection(url.netloc, timeout=_TIMEOUT, context=context)
