"""The parser of all commands, and what becomes of their failures."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from avance import __version__
from avance.cli import (
    accept_replacement,
    attest_off,
    completion,
    explain,
    image,
    init,
    install_check,
    log,
    maintenance,
    notify,
    operator,
    pause,
    report,
    reset_mtbf,
    simulate,
    status,
    support_bundle,
    switchover,
    upgrade,
    vm,
    what_if,
)
from avance.cli.exits import INTERRUPTED, MEANING, Failure

COMMANDS = (
    *(install_check, init, vm, image, status, explain, log, report, what_if),
    *(switchover, maintenance, upgrade, pause, reset_mtbf, attest_off, accept_replacement, notify, support_bundle),
    *(operator, simulate, completion),
)
PLUGIN = "kubectl-avance"
"""What kubectl looks for on the path when somebody types `kubectl avance`."""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    program = "kubectl avance" if Path(sys.argv[0]).name == PLUGIN else "avance"
    whole = argparse.ArgumentParser(
        prog=program,
        description="Two servers that look like one that does not fail.",
        epilog=MEANING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.set_defaults(whole=whole)  # what completion is made from
    whole.add_argument("--version", action="version", version=f"avance {__version__}")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    chosen = parser().parse_args(arguments)
    try:
        status: int = chosen.run(chosen)
        sys.stdout.flush()
    except Failure as failure:
        sys.stderr.write(f"avance {chosen.command}: {failure}\n")
        return failure.status
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever reads (`| head`) has seen enough; the interpreter must not complain of it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status
