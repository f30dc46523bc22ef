"""virt-api's aggregated API, subresources.kubevirt.io/v1, behind the API server's front proxy.

Who asks is taken from the proxy's headers and authorized by a SubjectAccessReview. Like the real one it answers
only clients that accept anything (`Accept: */*`).
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from e2e.controlplane.client import JSON_PATCH, ApiError
from e2e.kubevirt.api import SUBRESOURCE_GROUP, VMI, Key, Object, phase_of
from e2e.kubevirt.conditions import condition, is_true
from e2e.kubevirt.domain_status import host_name
from e2e.kubevirt.guests import Guest, Guests
from e2e.kubevirt.lifecycle import Lifecycle, SubresourceError, conflict
from e2e.kubevirt.store import Client, Stores

_ROOT = f"/apis/{SUBRESOURCE_GROUP}/v1"
Verb = Callable[[Key, dict[str, Any]], Awaitable[Any]]


class Nodes(Protocol):
    """How virt-api reaches a virt-handler."""

    def reachable(self, node: str) -> bool:
        """Whether the virt-handler of that node answers."""


class Subresources:
    """The HTTP server's application and its verbs."""

    def __init__(self, client: Client, stores: Stores, guests: Guests, nodes: Nodes, lifecycle: Lifecycle) -> None:
        self._client, self._vmis, self._guests, self._nodes = client, stores[VMI], guests, nodes
        self._verbs: dict[tuple[str, str, str], Verb] = {
            ("PUT", "virtualmachines", "start"): lifecycle.start,
            ("PUT", "virtualmachines", "stop"): lifecycle.stop,
            ("PUT", "virtualmachines", "restart"): lifecycle.restart,
            ("PUT", "virtualmachines", "migrate"): lifecycle.migrate,
            ("PUT", "virtualmachineinstances", "pause"): self._pause,
            ("PUT", "virtualmachineinstances", "unpause"): self._unpause,
            ("PUT", "virtualmachineinstances", "softreboot"): self._soft_reboot,
            ("PUT", "virtualmachineinstances", "reset"): self._reset,
            ("PUT", "virtualmachineinstances", "evacuate/cancel"): self._cancel_evacuation,
            ("GET", "virtualmachineinstances", "guestosinfo"): self._guest_os_info,
        }

    def application(self) -> web.Application:
        """The HTTP side."""
        application = web.Application()
        application.router.add_get("/apis", self._group_list)
        application.router.add_get(f"/apis/{SUBRESOURCE_GROUP}", self._group)
        application.router.add_get(_ROOT, self._resource_list)
        path = _ROOT + "/namespaces/{namespace}/{resource}/{name}/{verb:.+}"
        application.router.add_route("*", path, self._handle)
        return application

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._dispatch(request)
        except SubresourceError as error:
            return _status(error.code, error.reason, error.message)
        except ApiError as error:
            reason = "Conflict" if error.status == 409 else "InternalError"
            return _status(409 if error.status == 409 else 500, reason, f"Internal error occurred: {error.message}")

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        resource, name = request.match_info["resource"], request.match_info["verb"]
        methods = [method for method, known, verb in self._verbs if (known, verb) == (resource, name)]
        if not methods:
            return _plain(404, "404: Page Not Found")
        if request.method not in methods:
            return _plain(405, "405: Method Not Allowed")
        if "*/*" not in request.headers.get("Accept", "*/*"):
            return _plain(406, "406: Not Acceptable")
        key = request.match_info["namespace"], request.match_info["name"]
        await self._authorize(request, key, resource, name)
        answer = await self._verbs[request.method, resource, name](key, await _body(request))
        if answer is not None:
            return web.json_response(answer)
        return web.Response(status=202 if resource == "virtualmachines" else 200)

    async def _authorize(self, request: web.Request, key: Key, resource: str, verb: str) -> None:
        user = request.headers.get("X-Remote-User", "")
        attributes = {
            "group": SUBRESOURCE_GROUP,
            "version": "v1",
            "namespace": key[0],
            "name": key[1],
            "resource": resource,
            "subresource": verb.split("/")[0] if verb != "evacuate/cancel" else verb,
            "verb": "get" if request.method == "GET" else "update",
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": user,
                "groups": request.headers.getall("X-Remote-Group", []),
                "resourceAttributes": attributes,
            },
        }
        answer = await self._client.api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        if not answer["status"].get("allowed"):
            raise SubresourceError(
                403, "Forbidden", f'User "{user}" cannot {attributes["verb"]} resource "{resource}/{verb}"'
            )

    # Verbs on VMIs

    def _vmi(self, key: Key) -> Object:
        vmi = self._vmis.get(key)
        if vmi is None:
            raise SubresourceError(404, "NotFound", f'virtualmachineinstance.kubevirt.io "{key[1]}" not found')
        return vmi

    def _guest(self, key: Key) -> tuple[Object, Guest]:
        """The guest behind a running VMI, through the virt-handler of its node."""
        vmi = self._vmi(key)
        if phase_of(vmi) != "Running":
            raise conflict("VMI is not running")
        node = vmi["status"].get("nodeName", "")
        found = [guest for guest in self._guests.of_vm(key) if guest.node == node]
        if not self._nodes.reachable(node) or not found:
            message = f"Internal error occurred: unable to connect to virt-handler on node {node}: i/o timeout"
            raise SubresourceError(500, "InternalError", message)
        return vmi, found[0]

    async def _pause(self, key: Key, body: dict[str, Any]) -> None:
        vmi, guest = self._guest(key)
        if "livenessProbe" in vmi["spec"]:
            raise SubresourceError(403, "Forbidden", "Pausing VMIs with LivenessProbe is currently not supported")
        if is_true(vmi, "Paused"):
            raise conflict("VMI is already paused")
        if not body.get("dryRun"):
            self._guests.pause(guest, "PausedByUser")

    async def _unpause(self, key: Key, body: dict[str, Any]) -> None:
        vmi, guest = self._guest(key)
        if not is_true(vmi, "Paused"):
            raise conflict("VMI is not paused")
        if not body.get("dryRun"):
            self._guests.unpause(guest)

    async def _soft_reboot(self, key: Key, body: dict[str, Any]) -> None:
        vmi, guest = self._guest(key)
        if is_true(vmi, "Paused"):
            raise conflict("VMI is paused")
        if condition(vmi, "AgentConnected") is None:
            raise conflict("VMI neither have the agent connected nor the ACPI feature enabled")
        self._guests.reboot(guest)

    async def _reset(self, key: Key, body: dict[str, Any]) -> None:
        _, guest = self._guest(key)
        self._guests.reboot(guest)

    async def _cancel_evacuation(self, key: Key, body: dict[str, Any]) -> None:
        vmi = self._vmi(key)
        if vmi["status"].get("evacuationNodeName") and not body.get("dryRun"):
            patch = [{"op": "remove", "path": "/status/evacuationNodeName"}]
            await self._client.patch(VMI, key, patch, content_type=JSON_PATCH)

    async def _guest_os_info(self, key: Key, _: dict[str, Any]) -> dict[str, Any]:
        vmi, _guest = self._guest(key)
        if not is_true(vmi, "AgentConnected"):
            raise conflict("VMI does not have guest agent connected")
        return {"guestAgentVersion": "8.2.0", "hostname": host_name(vmi), "os": vmi["status"]["guestOSInfo"]}

    # Discovery

    async def _group_list(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": [_GROUP]})

    async def _group(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "APIGroup", "apiVersion": "v1", **_GROUP})

    async def _resource_list(self, _: web.Request) -> web.Response:
        resources = [
            {
                "name": f"{resource}/{verb}",
                "singularName": "",
                "namespaced": True,
                "kind": "",
                "verbs": [_VERBS[method]],
            }
            for method, resource, verb in self._verbs
        ]
        body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{SUBRESOURCE_GROUP}/v1"}
        return web.json_response({**body, "resources": resources})


_VERBS = {"PUT": "update", "GET": "get"}
_VERSION = {"groupVersion": f"{SUBRESOURCE_GROUP}/v1", "version": "v1"}
_GROUP = {"name": SUBRESOURCE_GROUP, "versions": [_VERSION], "preferredVersion": _VERSION}


async def _body(request: web.Request) -> dict[str, Any]:
    text = await request.text()
    if not text.strip():
        return {}
    try:
        decoded = json.loads(text)
    except ValueError as error:
        raise SubresourceError(400, "BadRequest", f"Can not unmarshal Request body to struct: {error}") from error
    return decoded if isinstance(decoded, dict) else {}


def _status(code: int, reason: str, message: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return web.json_response({**body, "message": message, "reason": reason, "code": code}, status=code)


def _plain(code: int, text: str) -> web.Response:
    return web.Response(status=code, text=text)
