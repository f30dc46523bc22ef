"""Server processes: crashes are told with the log, leftovers are ended, and nothing else is."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from e2e.controlplane.processes import Processes, ServerCrashed, end_leftovers, is_running, own_identity


async def _never() -> bool:
    return False


async def _at_once() -> bool:
    return True


async def test_a_server_that_ends_is_reported_with_the_tail_of_its_log(tmp_path: Path) -> None:
    server = await Processes(tmp_path).start("broken", sys.executable, "-c", "raise SystemExit('no such port')")
    with pytest.raises(ServerCrashed, match=r"(?s)broken ended with status 1.*no such port"):
        await server.wait_ready(_never)


async def test_a_server_that_is_not_ready_in_time_is_reported(tmp_path: Path) -> None:
    server = await Processes(tmp_path).start("idle", "sleep", "60")
    with pytest.raises(ServerCrashed, match=r"idle ready: not within 0.2 s"):
        await server.wait_ready(_never, timeout=0.2)
    await server.kill()


async def test_the_record_lists_what_runs_and_only_that(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    first, second = await processes.start("first", "sleep", "60"), await processes.start("second", "sleep", "60")
    assert _recorded(tmp_path) == {"first", "second"}
    await first.stop()
    assert _recorded(tmp_path) == {"second"}
    await second.kill()
    assert _recorded(tmp_path) == set()
    assert not first.running


async def test_stop_ends_a_server_that_ignores_the_polite_signal(tmp_path: Path) -> None:
    ignoring = (
        "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    server = await Processes(tmp_path).start("deaf", sys.executable, "-c", ignoring)

    async def deaf() -> bool:
        return "up" in server.log.read_text()

    await server.wait_ready(deaf)
    await server.stop(grace=0.2)
    assert not server.running


async def test_leftovers_of_a_process_that_died_are_ended(tmp_path: Path) -> None:
    pid = await _start_in_a_process_that_dies(tmp_path)
    started = json.loads((tmp_path / "processes.json").read_text())["processes"][str(pid)]["started"]
    assert is_running(pid, started)
    assert end_leftovers(tmp_path) == ["orphan"]
    while is_running(pid, started):
        await asyncio.sleep(0.01)
    assert end_leftovers(tmp_path) == []


async def test_a_process_that_merely_got_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    pid, _ = own_identity()
    owner = {"pid": 1, "started": "not that one"}
    processes = {str(pid): {"name": "somebody else", "started": "12345"}}
    (tmp_path / "processes.json").write_text(json.dumps({"owner": owner, "processes": processes}))
    assert end_leftovers(tmp_path) == []  # we are still here to say so


async def test_processes_whose_owner_lives_are_no_leftovers(tmp_path: Path) -> None:
    parent = os.getppid()
    started = Path(f"/proc/{parent}/stat").read_text().rpartition(") ")[2].split()[19]
    owner = {"pid": parent, "started": started}
    (tmp_path / "processes.json").write_text(json.dumps({"owner": owner, "processes": {}}))
    with pytest.raises(RuntimeError, match=f"in use by process {parent}"):
        end_leftovers(tmp_path)


async def _start_in_a_process_that_dies(state_dir: Path) -> int:
    program = (
        "import asyncio, os, sys\n"
        "from pathlib import Path\n"
        "from e2e.controlplane.processes import Processes\n"
        "async def main():\n"
        "    server = await Processes(Path(sys.argv[1])).start('orphan', 'sleep', '60')\n"
        "    print(server.pid, flush=True)\n"
        "    os._exit(1)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(state_dir), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return int(output)


def _recorded(state_dir: Path) -> set[str]:
    content = json.loads((state_dir / "processes.json").read_text())
    return {entry["name"] for entry in content["processes"].values()}
