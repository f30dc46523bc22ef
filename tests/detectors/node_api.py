"""The one path of an API server that the reporter uses: a Node's status, kept as the real one merges it.

`python -m tests.detectors.node_api <log>` serves it in a network namespace, prints its port, and logs each patch as a
line of JSON with the monotonic time.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class NodeApi:
    """Serves `/api/v1/nodes/node-a` on a port of its own until it is closed."""

    def __init__(self, on_patch: Callable[[list[dict[str, str]]], None] = lambda _: None) -> None:
        self.conditions: dict[str, dict[str, str]] = {
            "Ready": {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        }
        self.patches: list[list[dict[str, str]]] = []
        self.requests: list[tuple[str, str, str, str]] = []
        self.refusals: list[int] = []
        """Status codes for the next patches; the patch is written all the same for 504."""
        self.patched = threading.Event()
        self._on_patch = on_patch
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_address[1]
        self.thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(api: NodeApi) -> type[BaseHTTPRequestHandler]:  # noqa: N805 -- self is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._note()
                self._answer(200, {"status": {"conditions": list(api.conditions.values())}})

            def do_PATCH(self) -> None:
                self._note()
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code = api.refusals.pop(0) if api.refusals else 200
                if code in (200, 504):
                    api.take(body["status"]["conditions"])
                self._answer(code, {"message": "refused"} if code != 200 else {"status": {}})
                api.patched.set()

            def _note(self) -> None:
                headers = self.headers
                api.requests.append(
                    (self.command, self.path, headers.get("Content-Type", ""), headers.get("Authorization", ""))
                )

            def _answer(self, code: int, content: Any) -> None:
                body = json.dumps(content).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler

    def take(self, conditions: list[dict[str, str]]) -> None:
        self.patches.append(conditions)
        for condition in conditions:
            self.conditions[condition["type"]] = self.conditions.get(condition["type"], {}) | condition
        self._on_patch(conditions)


def _serve(log: str) -> None:
    with open(log, "a", buffering=1) as file:  # noqa: PTH123
        api = NodeApi(lambda conditions: file.write(json.dumps([time.monotonic(), conditions]) + "\n") and None)
        print(api.port, flush=True)
        api.thread.join()


if __name__ == "__main__":
    _serve(sys.argv[1])
