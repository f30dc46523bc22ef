"""A small asynchronous Kubernetes API client: plain dictionaries in and out, over the low level of `kubernetes.aio`."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from kubernetes.aio import client, config

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"

_TIMEOUT_S = 15.0


class ApiError(Exception):
    """The API server refused: HTTP `status`, Kubernetes `reason`, and its message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class Api:
    """Requests to one API server as one user. Close it when done (`async with` does)."""

    def __init__(self, api_client: client.ApiClient) -> None:
        self._client = api_client

    @classmethod
    async def from_kubeconfig(cls, path: Path) -> "Api":
        """As the user of the kubeconfig's current context."""
        configuration = client.Configuration()
        await config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(path), client_configuration=configuration
        )
        return cls(client.ApiClient(configuration))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def get(self, path: str, **query: str) -> Any:
        """GET: the decoded JSON, or the text when it is none (`/readyz`). Raises ApiError."""
        return await self.request("GET", path, query=query)

    async def post(self, path: str, body: Mapping[str, Any], **query: str) -> Any:
        """POST (create). Raises ApiError."""
        return await self.request("POST", path, body, query=query)

    async def put(self, path: str, body: Mapping[str, Any], **query: str) -> Any:
        """PUT (replace). Raises ApiError."""
        return await self.request("PUT", path, body, query=query)

    async def patch(self, path: str, body: Any, content_type: str = MERGE, **query: str) -> Any:
        """PATCH; server-side apply with `APPLY` and `fieldManager="…"`. Raises ApiError."""
        return await self.request("PATCH", path, body, query=query, content_type=content_type)

    async def delete(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """DELETE. Raises ApiError."""
        return await self.request("DELETE", path, body)

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout: float = _TIMEOUT_S,
    ) -> Any:
        """Any request; `timeout` in seconds covers the whole of it. Raises ApiError, TimeoutError, OSError."""
        response = await self._send(method, path, body, query, content_type, timeout)
        text = (await response.read()).decode()
        if response.status >= 400:
            raise _refusal(response.status, text)
        return _decoded(text)

    async def watch(self, path: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        """Watch events from now on (or from `resourceVersion`) until the server ends the stream. Raises ApiError."""
        everything = {"watch": "true", "allowWatchBookmarks": "true", **query}
        response = await self._send("GET", path, None, everything, "application/json", timeout=3600)
        if response.status >= 400:
            raise _refusal(response.status, (await response.read()).decode())
        try:
            async for line in response.response.content:
                yield json.loads(line)
        finally:
            response.response.close()

    async def _send(
        self, method: str, path: str, body: Any, query: Mapping[str, str] | None, content_type: str, timeout: float
    ) -> Any:
        headers = {"Accept": "application/json, */*", "Content-Type": content_type}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = self._client.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        async with asyncio.timeout(timeout):
            return await self._client.call_api(method, url, headers, body=body, _request_timeout=timeout)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _refusal(status: int, text: str) -> ApiError:
    answer = _decoded(text)
    if isinstance(answer, dict):
        return ApiError(status, answer.get("reason", ""), answer.get("message", text))
    return ApiError(status, "", text.strip())
