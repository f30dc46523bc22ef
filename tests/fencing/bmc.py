"""Two BMCs on loopback with TLS: sushy-tools' emulator with a password, and one that does what no emulator does."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import bcrypt

from e2e.controlplane.pki import KeyPair
from e2e.controlplane.processes import free_port

USER, PASSWORD = "fencer", "s3cret"
SYSTEM_PATH = "/redfish/v1/Systems/1"
READY_SECONDS = 30


@contextmanager
def emulator(directory: Path, tls: KeyPair, systems: dict[str, str]) -> Iterator[str]:
    """Run `sushy-emulator --fake` with these systems (UUID: power state); yields its https address."""
    password = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (directory / "htpasswd").write_text(f"{USER}:{password}\n")
    settings = {
        "SUSHY_EMULATOR_AUTH_FILE": str(directory / "htpasswd"),
        "SUSHY_EMULATOR_STATE_DIR": str(directory / "state"),
        "SUSHY_EMULATOR_FAKE_SYSTEMS": [
            {"uuid": uuid, "name": f"system-{number}", "power_state": state, "nics": []}
            for number, (uuid, state) in enumerate(systems.items())
        ],
    }
    config = directory / "emulator.conf"
    config.write_text("".join(f"{key} = {value!r}\n" for key, value in settings.items()))
    port = free_port()
    with (directory / "emulator.log").open("w") as log:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "sushy-emulator", "--fake", "--config", config, "-i", "127.0.0.1",
             "-p", str(port), "--ssl-certificate", tls.certificate, "--ssl-key", tls.key],
            stdout=log, stderr=log, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    try:
        address = f"https://127.0.0.1:{port}"
        _await_answer(address, process, directory / "emulator.log")
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _await_answer(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    unverified = ssl._create_unverified_context()
    while True:
        assert process.poll() is None, f"the emulator ended:\n{log.read_text()}"
        try:
            urlopen(Request(f"{address}/redfish/v1/"), context=unverified, timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"the emulator is not ready:\n{log.read_text()}"
            time.sleep(0.05)


class FaultyBMC:
    """A minimal Redfish service whose faults are set by attributes, and that remembers what it was asked to do."""

    def __init__(self, tls: KeyPair, uuid: str) -> None:
        self.system: Any = {
            "Id": "1",
            "UUID": uuid,
            "PowerState": "On",
            "Actions": {"#ComputerSystem.Reset": {"target": f"{SYSTEM_PATH}/Actions/ComputerSystem.Reset"}},
        }
        """What a GET of the system answers (a str is sent as it is)."""
        self.systems = [SYSTEM_PATH]
        self.status = 200
        """HTTP status of every answer to a GET."""
        self.get_hangs = ""
        """A GET of a path that begins so gets no answer."""
        self.get_trickles = self.reset_hangs = False
        self.reset_status = 204
        self.after_reset: str | None = None
        """PowerState once a reset was asked for."""
        self.resets: list[str] = []
        """ResetType of every reset that arrived."""
        self.requests = 0
        self.hanging = threading.Event()
        """Set once a GET hangs."""
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.address = f"https://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def release(self) -> None:
        """Let the requests that hang go on."""
        self._released.set()

    def get(self, path: str) -> Any:
        if path.rstrip("/") == "/redfish/v1":
            return {"Id": "RootService", "Systems": {"@odata.id": "/redfish/v1/Systems"}}
        if path == "/redfish/v1/Systems":
            return {"Members": [{"@odata.id": system} for system in self.systems]}
        return self.system

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        bmc = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                bmc.requests += 1
                if bmc.get_hangs and self.path.startswith(bmc.get_hangs):
                    bmc.hanging.set()
                    bmc._released.wait()
                answer = bmc.get(self.path)
                body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
                self._answer(bmc.status, body)

            def do_POST(self) -> None:
                kind = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["ResetType"]
                bmc.resets.append(kind)
                if bmc.after_reset is not None:
                    bmc.system["PowerState"] = bmc.after_reset
                if bmc.reset_hangs:
                    bmc._released.wait()
                self._answer(bmc.reset_status, b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                while bmc.get_trickles and body:
                    self.wfile.write(body[:1])
                    self.wfile.flush()
                    body = body[1:]
                    if bmc._released.wait(0.1):
                        break
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
