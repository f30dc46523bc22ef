"""`python -m e2e.demo`: builds what is missing, tells the story on a lab of its own, and leaves nothing behind."""

import argparse
import asyncio
import contextlib
import signal
import sys

from e2e.controlplane import ApiError
from e2e.controlplane.toolchain import BuildError
from e2e.demo.narrator import Narrator
from e2e.demo.runner import Runner
from e2e.demo.stage import Stage, require_free
from e2e.demo.story import STORY
from e2e.lab import LabError
from e2e.lab.state import lab_directory

INTERRUPTED = 130


def main() -> int:
    """Exit status 0 if every step passed, 1 if one failed, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--name", default="demo", help="name of the lab to bring up (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the lab up, to look around and to break more")
    options = parser.parse_args()
    try:
        return asyncio.run(_demo(options.name, options.keep))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED


async def _demo(name: str, keep: bool) -> int:
    _interrupt_on_sigterm()
    narrator, stage = Narrator(), Stage(name)
    runner, well = Runner(stage, narrator), False
    try:
        require_free(name)
        await runner.run(STORY)
        well = runner.failed == 0
    except (LabError, BuildError, ApiError, OSError) as error:
        runner.failed += 1
        narrator.missed("the demo cannot go on", str(error))
    finally:
        await _clean_up(stage, narrator, keep, well)
    narrator.end(f"demo: {runner.passed} steps passed, {runner.failed} failed")
    return 1 if runner.failed else 0


async def _clean_up(stage: Stage, narrator: Narrator, keep: bool, well: bool) -> None:
    if keep:
        await stage.leave()
        narrator.say(f"The lab stays up: e2e/bin/lab status --name {stage.name}; e2e/bin/lab stop --name {stage.name}")
        return
    was_up = await stage.tear_down(keep_logs=not well)
    if was_up and not well:
        narrator.say(f"The lab is gone; its logs are in {lab_directory(stage.name) / 'logs'}")


def _interrupt_on_sigterm() -> None:
    """SIGTERM cleans up as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


if __name__ == "__main__":
    sys.exit(main())
