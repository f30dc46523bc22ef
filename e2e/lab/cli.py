"""The command line of the lab: `lab VERB`, or `python -m e2e.lab VERB` from the repository's root."""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from rich.console import Console
from rich.table import Table

from e2e.controlplane import ApiError
from e2e.controlplane.processes import ServerCrashed
from e2e.controlplane.toolchain import BuildError
from e2e.hardware import CONTROL_PLANE_NODE, PAIR_NODES, BmcMode
from e2e.hardware.components import DERIVED, KINDS
from e2e.lab import lifecycle
from e2e.lab.client import ask, running_lab
from e2e.lab.existing_cluster import run_operator
from e2e.lab.install import NAMESPACE
from e2e.lab.lab import LabOptions
from e2e.lab.state import LabError, LabRecord, all_records

NODES = (*PAIR_NODES, CONTROL_PLANE_NODE)
KIND_NAMES = [condition.removesuffix("Problem") for condition in KINDS if condition not in DERIVED]
Command = Callable[[argparse.Namespace], Coroutine[Any, Any, int]]
_console = Console(highlight=False, soft_wrap=True)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit status; errors are one line on stderr and status 1."""
    options = _parser().parse_args(_protect_kubectl(sys.argv[1:] if arguments is None else arguments))
    try:
        status: int = asyncio.run(options.command(options))
        return status
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (LabError, BuildError, ServerCrashed, ApiError, RuntimeError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _protect_kubectl(arguments: list[str]) -> list[str]:
    """Keeps argparse from reading kubectl's options as ours; only a leading --name is ours."""
    if arguments[:1] != ["kubectl"]:
        return arguments
    ours = 3 if arguments[1:2] == ["--name"] else 1
    return arguments if arguments[ours:] == ["--help"] else [*arguments[:ours], "--", *arguments[ours:]]


async def _up(options: argparse.Namespace) -> int:
    started = time.monotonic()
    wanted = LabOptions(
        pair=options.pair,
        kubevirt=not options.no_kubevirt,
        chart=not options.no_chart,
        operators=0 if options.no_chart else options.operators,
        boot_time=options.boot_time,
        reset_delay=options.reset_delay,
    )
    record = await lifecycle.up(options.name, wanted, lambda phase: _console.print(f"lab {options.name}: {phase}"))
    _print_summary(record, time.monotonic() - started, wanted)
    return 0


def _print_summary(record: LabRecord, seconds: float, options: LabOptions) -> None:
    name = "" if record.name == "default" else f" --name {record.name}"
    _console.print(f"\nlab {record.name} is up after {seconds:.0f} s")
    _console.print(f"  export KUBECONFIG={record.kubeconfig}")
    for node, url in record.bmcs.items():
        secret = f"  Secret {NAMESPACE}/bmc-{node}" if options.chart else ""
        _console.print(f"  BMC of {node}: {url}{secret}")
    if options.pair:
        _console.print(f"  pair: nodes labelled avance.dev/pair={options.pair}")
    _console.print("next:")
    _console.print(f"  e2e/bin/lab kubectl{name} get nodes")
    _console.print(f"  e2e/bin/lab fail{name} node-a PowerSupply psu1")
    _console.print(f"  e2e/bin/lab status{name}")
    _console.print(f"  e2e/bin/lab stop{name}")


async def _stop(options: argparse.Namespace) -> int:
    forced = await lifecycle.stop(options.name)
    print(f"lab {options.name} is stopped" + (f" (by force: {', '.join(forced)})" if forced else ""))
    return 0


async def _list(_: argparse.Namespace) -> int:
    for record in all_records():
        phase = record.phase if record.alive or record.phase == "stopped" else "crashed"
        print(f"{record.name}\t{phase}\t{record.kubeconfig}")
    return 0


async def _status(options: argparse.Namespace) -> int:
    status = await ask(options.name, "status")
    if options.json:
        print(json.dumps(status, indent=1))
        return 0
    table = Table("node", "power", "kernel", "network", "BMC", box=None)
    for node, facts in status["nodes"].items():
        table.add_row(node, facts["power"], facts["kernel"], facts["network"], facts["bmc"])
    _console.print(table)
    for node, facts in status["nodes"].items():
        for fault in facts["failed"]:
            _console.print(f"{node}: {fault}", markup=False)
    _console.print(f"private link: {status['private_link']}")
    for operator, pid in status["operators"].items():
        _console.print(f"operator {operator}: {f'pid {pid}' if pid else 'not running'}")
    return 0


async def _ledger(options: argparse.Namespace) -> int:
    print(json.dumps(await ask(options.name, "ledger"), indent=1))
    return 0


async def _kubectl(options: argparse.Namespace) -> int:
    record = running_lab(options.name)
    os.execv(
        record.kubectl,
        [record.kubectl, "--kubeconfig", record.kubeconfig, *options.arguments[options.arguments[:1] == ["--"] :]],
    )


async def _run_operator(_: argparse.Namespace) -> int:
    return await run_operator()


def _fault(verb: str, *names: str, details: tuple[str, ...] = ()) -> Command:
    """A command that passes the arguments `names` and `details` on to the lab, and says what it did to what."""

    async def command(options: argparse.Namespace) -> int:
        await ask(options.name, verb, **{name: getattr(options, name) for name in (*names, *details)})
        print(f"lab {options.name}:", verb.replace("_", "-"), *(getattr(options, name) for name in names))
        return 0

    return command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    def add(verb: str, help: str, command: Command) -> argparse.ArgumentParser:
        sub = verbs.add_parser(verb, help=help, description=help)
        sub.add_argument("--name", default="default", help="which lab (default: %(default)s)")
        sub.set_defaults(command=command)
        return sub

    _add_lifecycle(add)
    _add_hardware(add)
    _add_software(add)
    return parser


_Add = Callable[[str, str, Command], argparse.ArgumentParser]


def _add_lifecycle(add: _Add) -> None:
    up = add("up", "build what is missing, bring a lab up in the background and wait until it is ready", _up)
    up.add_argument(
        "--pair", default="demo", help="label the pair nodes avance.dev/pair=PAIR; '' for none (%(default)s)"
    )
    up.add_argument("--operators", type=int, default=1, help="how many operators to run (%(default)s)")
    up.add_argument("--no-chart", action="store_true", help="install neither chart nor operator")
    up.add_argument("--no-kubevirt", action="store_true", help="leave the KubeVirt stand-in out")
    up.add_argument("--boot-time", type=float, default=2.0, help="seconds that a server takes to boot (%(default)s)")
    up.add_argument("--reset-delay", type=float, default=1.0, help="seconds that a BMC's reset takes (%(default)s)")
    add("stop", "end a lab, also one that crashed; its logs stay until the next `up`", _stop)
    add("list", "list the labs", _list)
    status = add("status", "show what is physically true", _status)
    status.add_argument("--json", action="store_true", help="as JSON")


def _add_hardware(add: _Add) -> None:
    fail = add(
        "fail", "let a component of a pair node fail",
        _fault("fail", "node", "kind", "component", details=("part", "serial", "detail", "state")),
    )  # fmt: skip
    repair = add("repair", "replace a failed component by a good one", _fault("repair", "node", "kind", "component"))
    for sub in (fail, repair):
        sub.add_argument("node", choices=PAIR_NODES)
        sub.add_argument("kind", help=f"{', '.join(KIND_NAMES)}, or the condition's type")
        sub.add_argument("component", help="its name, such as psu1")
    fail.add_argument("--part", default="", help="part number")
    fail.add_argument("--serial", default="", help="serial number")
    fail.add_argument("--detail", default="", help="what is wrong, free text")
    fail.add_argument("--state", default="failed", help="state word of the message (%(default)s)")
    for verb, help in (
        ("power-cut", "take a server's power away; its BMC lives on and reads Off"),
        ("crash", "let a server's kernel die without a word; its BMC still reads On"),
        ("power-on", "press the power button of a server that is off, or reset one that has crashed"),
        ("partition", "cut a server off the API server; it and its guests run on"),
        ("heal", "end a partition"),
    ):
        add(verb, help, _fault(verb.replace("-", "_"), "node")).add_argument("node", choices=NODES)
    add("cut-link", "pull the cable of the private link", _fault("cut_link"))
    add("restore-link", "plug the cable of the private link in", _fault("restore_link"))
    bmc = add("bmc", "make a node's BMC behave or misbehave", _fault("bmc", "node", "mode"))
    bmc.add_argument("node", choices=PAIR_NODES)
    bmc.add_argument("mode", choices=list(map(str, BmcMode)))


def _add_software(add: _Add) -> None:
    guest = add("guest", "let something happen inside a guest", _fault("guest", "how", "vm"))
    guest.add_argument("how", choices=("crash", "hang", "shutdown", "panic"))
    guest.add_argument("vm", metavar="NAMESPACE/NAME")
    migrations = add("migrations", "how live migrations go from now on", _fault("migrations", "mode"))
    migrations.add_argument("mode", choices=("normal", "fail", "stall"))
    add("ledger", "print the guests that physically run, the history and the violations, as JSON", _ledger)
    operator = add(
        "operator", "start, stop (SIGTERM) or kill (SIGKILL) an operator", _fault("operator", "action", "number")
    )
    operator.add_argument("action", choices=("start", "stop", "kill"))
    operator.add_argument("number", type=int, nargs="?", default=1, help="which (%(default)s)")
    kubectl = add("kubectl", "run kubectl as the lab's administrator (--name goes first)", _kubectl)
    kubectl.add_argument("arguments", nargs=argparse.REMAINDER)
    add(
        "run-operator",
        "install the chart (CRDs, RBAC, no replica) into the cluster of $KUBECONFIG and run the operator from here",
        _run_operator,
    )
