"""A thin asynchronous client of the Kubernetes API: one method per verb, plain dictionaries in and out.

It sits on the official client's transport (TLS, credentials, token refresh) and leaves its typed models aside: an
object with a field that this release doesn't know must still be readable. Every call ends within a time-out. It knows
no caches, and never reads with resourceVersion=0, so what it returns is what etcd holds.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from kubernetes.aio import config as kube_config
from kubernetes.aio.client import ApiClient, Configuration

from avance.kube.errors import ApiError, NotFound, Unavailable, error_from_response
from avance.kube.resources import PODS, Resource

Object = dict[str, Any]
Operations = list[Object]

_DEFAULT_KUBECONFIG = str(Path.home() / ".kube" / "config")
_JSON = "application/json"
_JSON_PATCH = "application/json-patch+json"
_MERGE_PATCH = "application/merge-patch+json"
_APPLY_PATCH = "application/apply-patch+yaml"

PAGE_SIZE = 500
"""What kubectl asks for at once."""


class Listing(NamedTuple):
    """A collection as of one moment; `resource_version` is where a watch may go on."""

    items: list[Object]
    resource_version: str


class Page(NamedTuple):
    """A part of a listing; all parts are as of the same moment."""

    items: list[Object]
    resource_version: str
    first: bool


class Kube:
    """Every method raises a subclass of `errors.ApiError`; no answer within the time-out is `Unavailable`."""

    def __init__(self, api: ApiClient, timeout: float = 10.0) -> None:
        """`timeout`: seconds that one request (of a list: one page) may take, from connecting to the last byte."""
        self._api = api
        self._timeout = timeout

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, timeout: float = 10.0, *, context: str | None = None) -> Kube:
        """Connect by `kubeconfig`, else by $KUBECONFIG, else as the pod's service account, else by ~/.kube/config.

        A `context` is one of a kubeconfig, so it rules the service account out; None: the kubeconfig's current one.
        """
        configuration = Configuration()
        file = kubeconfig or os.environ.get("KUBECONFIG")
        if file or context or "KUBERNETES_SERVICE_HOST" not in os.environ:
            await kube_config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=file or _DEFAULT_KUBECONFIG,
                context=context,
                client_configuration=configuration,
                persist_config=False,
            )
        else:
            kube_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        return cls(ApiClient(configuration), timeout)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; raises `NotFound`."""
        return await self._request("GET", resource.path(namespace, name))

    async def discover(self, path: str) -> Object:
        """What a version of a group serves. Of an aggregated API that is away, raises `Unavailable`."""
        return await self._request("GET", path)

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        page_size: int = PAGE_SIZE,
    ) -> Listing:
        """All objects that match; of all namespaces when `namespace` is empty."""
        items: list[Object] = []
        async for page in self.pages(
            resource, namespace, label_selector=label_selector, field_selector=field_selector, page_size=page_size
        ):
            items = page.items if page.first else [*items, *page.items]
            version = page.resource_version
        return Listing(items, version)

    async def pages(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        page_size: int = PAGE_SIZE,
    ) -> AsyncIterator[Page]:
        """The same, page by page, so that a large collection is never in memory as a whole.

        The items carry `apiVersion` and `kind`, which the API leaves out of lists. A page that is `first` again makes
        those before it void: the snapshot that they came from was compacted away, and the listing starts over.
        """
        query: dict[str, str | int] = {"labelSelector": label_selector, "fieldSelector": field_selector}
        query["limit"], first = page_size, True
        while first or query["continue"]:
            try:
                page = await self._request("GET", resource.path(namespace), query=query)
            except ApiError as error:
                # 410: start over, in one piece.
                if error.status != 410 or first:
                    raise
                query, first = {**query, "continue": "", "limit": ""}, True
                continue
            for item in page["items"]:
                item.setdefault("apiVersion", resource.api_version)
                item.setdefault("kind", resource.kind)
            yield Page(page["items"], page["metadata"]["resourceVersion"], first)
            query["continue"], first = page["metadata"].get("continue") or "", False

    async def watch(
        self, resource: Resource, namespace: str = "", *, resource_version: str, silence: float = 60.0
    ) -> AsyncIterator[tuple[str, Object]]:
        """Changes after `resource_version` as they come: `ADDED`, `MODIFIED` or `DELETED` with the object.

        Ends when the API server ends it, as it does every few minutes, or when that version is too old to go on from:
        list again then. Raises `Unavailable` when nothing comes for `silence` seconds.
        """
        query = [("watch", "true"), ("resourceVersion", resource_version)]
        path = resource.path(namespace)
        request = await self._api.param_serialize(
            "GET", path, query_params=query, header_params={"Accept": _JSON}, auth_settings=["BearerToken"]
        )
        try:
            async with asyncio.timeout(silence) as patience:
                response = await self._api.call_api(*request)
                if response.status != 200:
                    data = await response.read()  # type: ignore[no-untyped-call]
                    raise error_from_response(response.status, response.reason or "", data)
                async for line in _lines(response.response.content):
                    patience.reschedule(asyncio.get_running_loop().time() + silence)
                    event = _decode("WATCH", path, line)
                    if event["type"] == "ERROR":
                        return
                    yield event["type"], event["object"]
        except TimeoutError:
            raise Unavailable(0, "Timeout", f"WATCH {path}: nothing for {silence:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(0, "Unreachable", f"WATCH {path}: {error or type(error).__name__}") from error

    async def create(
        self, resource: Resource, body: Object, namespace: str = "", *, strict: bool = False, dry_run: bool = False
    ) -> Object:
        """Raises `AlreadyExists` when the name is taken.

        `strict`: raises `Invalid` where the API server would drop a field that it does not know.
        """
        query = {**_dry_run(dry_run), "fieldValidation": "Strict" if strict else ""}
        return await self._request("POST", resource.path(namespace), query=query, body=body)

    async def replace(
        self, resource: Resource, body: Object, *, subresource: str = "", dry_run: bool = False
    ) -> Object:
        """Write the whole object. With `metadata.resourceVersion` in it, raises `Conflict` if it changed since."""
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace", ""), metadata["name"], subresource)
        return await self._request("PUT", path, query=_dry_run(dry_run), body=body)

    async def patch_merge(
        self,
        resource: Resource,
        name: str,
        patch: Object,
        namespace: str = "",
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """JSON merge patch: lists are overwritten whole, null deletes.

        With `metadata.resourceVersion` in the patch, raises `Conflict` if the object changed since.
        """
        path = resource.path(namespace, name, subresource)
        return await self._request("PATCH", path, query=_dry_run(dry_run), body=patch, content_type=_MERGE_PATCH)

    async def patch_json(
        self,
        resource: Resource,
        name: str,
        operations: Operations,
        namespace: str = "",
        *,
        field_manager: str = "",
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """JSON patch (RFC 6902). `field_manager`: the name under which the API server notes who wrote the fields.

        A `test` operation that fails is answered as `Invalid` by the API server; to get a
        `Conflict`, *replace* /metadata/resourceVersion by the version that was read.
        """
        path = resource.path(namespace, name, subresource)
        query = {"fieldManager": field_manager, **_dry_run(dry_run)}
        return await self._request("PATCH", path, query=query, body=operations, content_type=_JSON_PATCH)

    async def apply(
        self,
        resource: Resource,
        body: Object,
        *,
        field_manager: str,
        force: bool = False,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply: create or update; owns exactly the fields in `body`.

        Raises `Conflict` when another manager owns a field with another value, unless `force`.
        """
        metadata = body["metadata"]
        path = resource.path(metadata.get("namespace", ""), metadata["name"], subresource)
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        query = {"fieldManager": field_manager, "force": "true" if force else "", **_dry_run(dry_run)}
        return await self._request("PATCH", path, query=query, body=body, content_type=_APPLY_PATCH)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        grace_period_seconds: int | None = None,
        missing_ok: bool = False,
        dry_run: bool = False,
    ) -> None:
        """Delete one object; with `uid`, raises `Conflict` if the name belongs to another object by now.

        Finalizers may keep the object for a while: success means that deletion was asked for.
        """
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if dry_run:
            options["dryRun"] = ["All"]  # beside a body the API server ignores the query parameter, and deletes
        try:
            await self._request("DELETE", resource.path(namespace, name), body=options)
        except NotFound:
            if not missing_ok:
                raise

    async def subresource_put(self, path: str, body: Object | None = None) -> Object:
        """PUT to a verb of an aggregated API such as KubeVirt's start and restart; {} when the answer is empty.

        For a dry run put {"dryRun": ["All"]} into the body: KubeVirt ignores the query parameter and acts.
        """
        # These servers answer 406 to Accept: application/json.
        return await self._request("PUT", path, body=body or {}, accept="*/*")

    async def logs(self, pod: str, namespace: str, container: str, *, previous: bool = False, tail: int = 10000) -> str:
        """The newest lines of a container's log; with `previous`, of its life before the last restart."""
        query: dict[str, str | int] = {"container": container, "tailLines": tail}
        query["previous"] = "true" if previous else ""
        data = await self._exchange("GET", PODS.path(namespace, pod, "log"), query=query, accept="*/*")
        return data.decode(errors="replace")

    async def whoami(self) -> str:
        """The user name that the API server sees behind this client's credentials."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = await self._request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
        return str(answer["status"]["userInfo"]["username"])

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Any = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> Object:
        data = await self._exchange(method, path, query=query, body=body, content_type=content_type, accept=accept)
        return _decode(method, path, data)

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Any = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> bytes:
        wanted = [(key, value) for key, value in (query or {}).items() if value != ""]
        headers = {"Accept": accept, "Content-Type": content_type}
        try:
            # Ours is the only time-out that counts: the transport's own would raise other errors at other moments.
            async with asyncio.timeout(self._timeout):
                request = await self._api.param_serialize(
                    method, path, query_params=wanted, header_params=headers, body=body, auth_settings=["BearerToken"]
                )
                response = await self._api.call_api(*request)
                data = await response.read()  # type: ignore[no-untyped-call]
        except TimeoutError:
            raise Unavailable(0, "Timeout", f"{method} {path}: no answer within {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(0, "Unreachable", f"{method} {path}: {error or type(error).__name__}") from error
        if not 200 <= response.status < 300:
            raise error_from_response(response.status, response.reason or "", data)
        return bytes(data)


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length; the stream's own are limited."""
    rest = b""
    async for chunk in stream.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line


def _dry_run(dry_run: bool) -> dict[str, str | int]:
    return {"dryRun": "All"} if dry_run else {}


def _decode(method: str, path: str, data: bytes) -> Object:
    if not data.strip():
        return {}
    try:
        answer = json.loads(data)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Unavailable(0, "UnexpectedAnswer", f"{method} {path}: the answer is not a JSON object: {data[:80]!r}")
    return answer
