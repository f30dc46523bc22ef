"""Holds one lab in the background and obeys commands on the Unix socket in its state directory.

`POST /<verb>` with the arguments as a JSON object answers `{"result": …}`, or 400 and `{"error": …}` in one line.
Ends on SIGTERM or SIGINT, or when a server of the control plane ends by itself.
"""

import asyncio
import json
import signal
import sys
import traceback
from pathlib import Path

from aiohttp import web

from e2e.controlplane import ApiError
from e2e.controlplane.processes import ServerCrashed, own_identity
from e2e.hardware import HardwareError
from e2e.lab.lab import Lab, LabOptions
from e2e.lab.state import LabError, LabRecord, lab_directory, socket_path

VERBS = (
    *("status", "ledger", "fail", "repair", "power_cut", "crash", "power_on", "partition", "heal"),
    *("cut_link", "restore_link", "bmc", "guest", "migrations", "operator"),
)
READY = "ready"
_WATCH_S = 1.0


class Daemon:
    """One lab, its record and its socket."""

    def __init__(self, name: str, options: LabOptions) -> None:
        self._directory = lab_directory(name)
        self._record = LabRecord(name, *own_identity())
        self._lab = Lab(name, options, self._enter)
        self._told_to_stop = asyncio.Event()

    async def run(self) -> int:
        """Until told to stop. Exit status 1 if the lab did not come up or fell apart; the record says why."""
        self._enter("starting")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop.set)
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._told_to_stop.wait())
        runner: web.AppRunner | None = None
        try:
            await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return 0
            runner = await starting
            await self._until_stopped()
        except Exception as error:
            traceback.print_exc()
            self._record.error = str(error) or repr(error)
            return 1
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            self._enter("stopping")
            if runner is not None:
                await runner.cleanup()
            await self._lab.stop()
            self._enter("stopped")
        return 0

    async def _start(self) -> web.AppRunner:
        await self._lab.start()
        control_plane, hardware = self._lab.control_plane, self._lab.hardware
        self._record.kubeconfig = str(control_plane.kubeconfig)
        self._record.kubectl = str(control_plane.binaries.kubectl)
        self._record.bmcs = {node: bmc.url for node, bmc in hardware.bmcs.items()}
        runner = await self._listen()
        self._enter(READY)
        return runner

    async def _listen(self) -> web.AppRunner:
        application = web.Application()
        application.router.add_post("/{verb}", self._obey)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        path = socket_path(self._directory)
        path.unlink(missing_ok=True)
        await web.UnixSite(runner, str(path)).start()
        return runner

    async def _obey(self, request: web.Request) -> web.Response:
        verb, arguments = request.match_info["verb"], await request.json()
        if verb not in VERBS:
            return web.json_response({"error": f"unknown verb {verb!r}"}, status=404)
        try:
            result = await getattr(self._lab, verb)(**arguments)
        except (LabError, HardwareError, ServerCrashed, ApiError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        except Exception as error:
            traceback.print_exc()
            return web.json_response({"error": f"{verb} failed: {error!r}; see daemon.log"}, status=500)
        return web.json_response({"result": result})

    async def _until_stopped(self) -> None:
        """Looks at the control plane from time to time. Raises ServerCrashed."""
        while not self._told_to_stop.is_set():
            self._lab.control_plane.require_running()
            try:
                await asyncio.wait_for(self._told_to_stop.wait(), _WATCH_S)
            except TimeoutError:
                continue

    def _enter(self, phase: str) -> None:
        self._record.phase = phase
        self._record.write(self._directory)


def main(name: str, options: str, directory: Path) -> int:
    """Runs a daemon; `options` is the JSON form of LabOptions."""
    directory.mkdir(parents=True, exist_ok=True)
    return asyncio.run(Daemon(name, LabOptions(**json.loads(options))).run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], lab_directory(sys.argv[1])))
