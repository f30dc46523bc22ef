"""A LINSTOR controller on loopback: `/v1/view/resources` as the real one answers it, and every way not to answer.

It keeps what DRBD would know of each resource on each of two nodes. A satellite that is offline tells nothing, so its
volumes have no state; a resource that is StandAlone still reads UpToDate, as the real one does in split brain.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

VIEW = "/v1/view/resources"


class Mode(StrEnum):
    """How it answers."""

    NORMAL = "normal"
    HANGS = "hangs"
    """It takes the request and never answers."""
    DRIPS = "drips"
    """It begins to answer and never ends."""
    ERROR = "error"
    GARBAGE = "garbage"
    OTHER_SERVICE = "other service"
    """What listens there is something else, which answers JSON of its own."""
    REDIRECTS = "redirects"
    OTHER_SHAPE = "other shape"
    LIES = "lies"
    """It says that all is well, whatever is true."""


@dataclass
class End:
    """One node's end of a resource."""

    disk: str = "UpToDate"
    link: str = "Connected"
    replication: str = "Established"
    done: float | None = None
    in_use: bool = False
    may_promote: bool = True
    diskless: bool = False
    deployed: bool = True


@dataclass
class Controller:
    """The stand-in; a context manager that listens as long as it is entered."""

    nodes: tuple[str, str] = ("node-a", "node-b")
    mode: Mode = Mode.NORMAL
    ends: dict[str, dict[str, End]] = field(default_factory=dict)
    offline: set[str] = field(default_factory=set)
    requests: int = 0

    # ── what is true ──

    def add(self, resource: str) -> None:
        """A resource with an up-to-date copy on both nodes."""
        self.ends[resource] = {node: End() for node in self.nodes}

    def end(self, resource: str, node: str) -> End:
        return self.ends[resource][node]

    def use(self, resource: str, node: str) -> None:
        """It is primary there."""
        for name, end in self.ends[resource].items():
            end.in_use, end.may_promote = name == node, name == node

    def cut(self, resource: str, outdated: str = "") -> None:
        """The link between the copies is down; one of them may be outdated by it."""
        for node, end in self.ends[resource].items():
            end.link, end.replication, end.done = "Connecting", "Off", None
            end.disk = "Outdated" if node == outdated else end.disk

    def split(self, resource: str) -> None:
        """Split brain."""
        for end in self.ends[resource].values():
            end.link, end.replication = "StandAlone", "Off"

    def resync(self, resource: str, target: str, done: float) -> None:
        """The copy on one node is being brought up to date; 100 ends it."""
        for node, end in self.ends[resource].items():
            end.link = "Connected"
            if done >= 100:
                end.disk, end.replication, end.done = "UpToDate", "Established", None
            elif node == target:
                end.disk, end.replication, end.done = "Inconsistent", "SyncTarget", done
            else:
                end.replication, end.done = "SyncSource", done

    def lose_disk(self, resource: str, node: str) -> None:
        """DRBD has detached the disk of a node, which goes on with the other copy."""
        self.ends[resource][node].disk = "Diskless"

    # ── what it answers ──

    def view(self) -> list[dict[str, Any]]:
        """The answer to `GET /v1/view/resources`."""
        return [
            self._resource(name, node, end)
            for name, ends in sorted(self.ends.items())
            for node, end in sorted(ends.items())
            if end.deployed
        ]

    def _resource(self, name: str, node: str, end: End) -> dict[str, Any]:
        peer = next(other for other in self.nodes if other != node)
        online = node not in self.offline or self.mode is Mode.LIES
        told = End() if self.mode is Mode.LIES else end
        drbd: dict[str, Any] = {"node_id": self.nodes.index(node), "peer_slots": 7, "flags": []}
        volume: dict[str, Any] = {"volume_number": 0, "storage_pool_name": "pool", "provider_kind": "LVM_THIN"}
        resource: dict[str, Any] = {"name": name, "node_name": node, "props": {}, "flags": [], "volumes": [volume]}
        resource["layer_object"] = {"type": "DRBD", "drbd": drbd, "children": [{"type": "STORAGE", "storage": {}}]}
        if end.diskless:
            resource["flags"] = ["DISKLESS", "DRBD_DISKLESS"]
        if online:
            state: dict[str, Any] = {"replication_state": told.replication}
            if told.done is not None:
                state["done_percentage"] = told.done
            volume["state"] = {"disk_state": told.disk, "replication_states": {peer: state}}
            resource["state"] = {"in_use": told.in_use}
            drbd["connections"] = {peer: {"connected": told.link == "Connected", "message": told.link}}
            drbd["may_promote"], drbd["promotion_score"] = told.may_promote, 10101
        return resource

    # ── the server ──

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Controller:
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and body, for the modes in which there is an answer at all."""
        wrong: dict[Mode, tuple[int, Any]] = {
            Mode.ERROR: (500, [{"ret_code": -1, "message": "the controller is not ready"}]),
            Mode.OTHER_SERVICE: (200, {"version": "1.0"}),
            Mode.OTHER_SHAPE: (200, [{"name": "pvc-1", "node": self.nodes[0]}]),
            Mode.REDIRECTS: (302, []),
        }
        if self.mode is Mode.GARBAGE:
            return 200, b"<html>welcome</html>"
        right = (200, self.view()) if urlsplit(path).path == VIEW else (404, [])
        status, body = wrong.get(self.mode, right)
        return status, json.dumps(body).encode()


class _Server(ThreadingHTTPServer):
    def __init__(self, controller: Controller) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.controller = controller
        self.ended = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        controller = self.server.controller
        controller.requests += 1
        if controller.mode is Mode.HANGS:
            self.server.ended.wait()
        elif controller.mode is Mode.DRIPS:
            self._drip()
        else:
            self._send(*controller.answer(self.path))

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.server.ended.wait(0.05):
            try:
                self.wfile.write(b" ")
                self.wfile.flush()
            except OSError:
                return

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", f"{self.server.controller.url}/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """It keeps quiet."""
