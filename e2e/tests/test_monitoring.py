"""A real Prometheus beside a real operator: every query of the dashboards and every rule, while a server is lost."""

import json
import os
import re
import shlex
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from e2e.monitoring.picture import Bands, Bars, Curves, draw
from e2e.monitoring.programs import prometheus_programs
from e2e.monitoring.prometheus import Prometheus
from e2e.tests.chart import CHART
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY
from e2e.tests.programs import had

pytestmark = pytest.mark.timeout(240)
Object = dict[str, Any]

RULES = CHART / "files" / "rules" / "avance.yaml"
DASHBOARDS = sorted((CHART / "files" / "dashboards").glob("*.json"))
RUNBOOKS = CHART.parents[1] / "docs" / "runbooks"
CHOSEN = {"pair": "demo", "namespace": "default", "vm": "web", "__rate_interval": "30s", "__range": "5m"}

MAY_BE_EMPTY = {
    "Good copies": "the lab's disks are on storage that both servers share",
    "Resynchronisation": "the same",
    "Time left": "the same",
    "Not trusted any more": "no component has failed often enough",
    "Under way": "the rejoin of the server may have ended by now",
    "Down for": "the VM runs again; it was down for a few seconds",
    "Firing": "no alert has been pending for long enough",
    "Why not": "the VM and the pair may be all right again by now",
}
"""Panels without data on this lab, and why."""
ONCE_THE_CRASH_IS_OVER = (
    'avance_phase_last_seconds{phase="Boot"}',
    'avance_vm_last_failover_seconds{vm="web", kind="ColdRestart"}',
    'avance_actions_total{type="ColdRestart"}',
    'avance:vm_up{vm="web"} == 1',
    "avance:failed_passes:rate5m",
)
HERE_ONLY_A_PROCESS = "kubectl rollout restart deployment avance"
"""The operator of the lab is a process of this machine and no Deployment."""


@asynccontextmanager
async def prometheus(site: Site, directory: Path) -> AsyncIterator[Prometheus]:
    had(prometheus_programs)
    targets = {
        operator.name: urlsplit(operator.metrics_url).netloc
        for operator in site.lab.operators.values()
        if operator.pid is not None
    }
    server = Prometheus(site.lab.control_plane.processes, directory, RULES, targets)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def panels() -> Iterator[Object]:
    for path in DASHBOARDS:
        yield from json.loads(path.read_text())["panels"]


def filled_in(expression: str) -> str:
    """With what a user has chosen at the top of the page."""
    return re.sub(r"\$(\w+)", lambda name: CHOSEN[name[1]], expression)


def variables() -> Iterator[str]:
    """What the choices at the top of a page are filled from."""
    for path in DASHBOARDS:
        for variable in json.loads(path.read_text())["templating"]["list"]:
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"])
            if found:
                yield filled_in(f"count by ({found[2]}) ({found[1]})")


async def shown(server: Prometheus, panel: Object, target: Object) -> bool:
    """Whether a query of a panel has anything to show."""
    expression = filled_in(target["expr"])
    found = await (server.query(expression) if target["instant"] else server.history(expression, 60))
    return any(value != "NaN" for series in found for _, value in series.get("values") or [series["value"]])


async def lose_a_server(site: Site) -> None:
    """The backup loses a power supply, and then the primary dies."""
    await site.hardware.fail_component(BACKUP, "PowerSupply", "psu1")
    await site.node_is(BACKUP, state="Degraded")
    await site.hardware.crash(PRIMARY)
    await site.vms_run_on(BACKUP, within=60)


async def test_every_query_and_every_rule_is_answered(site: Site, tmp_path: Path) -> None:
    """No error anywhere, and data wherever there should be; the standby shows no pair."""
    await site.running_vms("web", "db")
    await site.operator("start", 2)
    try:
        async with prometheus(site, tmp_path) as server:
            await site.until(lambda: server.query("avance:vm_up == 1"), "Prometheus knowing of the VMs")
            began = time.time() - 2
            await lose_a_server(site)

            async def seen() -> bool:
                return all([await server.query(each) for each in ONCE_THE_CRASH_IS_OVER])

            await site.until(seen, "Prometheus knowing of the cold restart")
            await the_dashboards_have_data(server)
            await the_rules_are_followed(server)
            (leader,) = await server.query("avance_leader == 1")
            (told_by,) = await server.query("count by (pod) (avance_pair_info)")
            assert told_by["metric"]["pod"] == leader["metric"]["pod"]
            crash = (await site.pair_status())["lastCrash"]
            assert {phase["phase"] for phase in crash["phases"]} == {"Fence", "PowerOff", "Release", "Boot"}
            await site.action("Rejoin", PRIMARY)
            await site.whole()
            await a_picture_can_be_drawn(server, began)
    finally:
        await site.operator("stop", 2)


async def a_picture_can_be_drawn(server: Prometheus, began: float) -> None:
    """The one of the documentation, if AVANCE_PICTURE says where to put it."""
    now = time.time()

    async def history(expression: str) -> list[Object]:
        return await server.history(expression, now - began)

    async def phases(expression: str) -> dict[str, float]:
        return {each["metric"]["phase"]: float(each["value"][1]) for each in await server.query(expression)}

    kinds = 'type=~"Ready|Redundant|FailoverReady|FencingClear"'
    phase = 'phase=~"Fence|PowerOff|Release|Boot"'
    measured = [await phases(f"avance_phase_{which}_seconds{{{phase}}}") for which in ("last", "budget")]
    panels = (
        Bands("State of the servers", await history("avance_node_state"), ("node",), ("state",)),
        Curves("Health", await history("avance_node_health_score"), "node"),
        Bands("VMs: phase and server", await history("avance_vm_info"), ("vm",), ("phase", "primary")),
        Bands("Conditions of the pair", await history(f"avance:pair_condition{{{kinds}}}"), ("type",)),
        Bars("Phases of the failover, and what each may take", *measured),
    )
    title = "Page Pair: a power supply of node-b fails, then node-a crashes, and comes back"
    svg = draw(title, began, now, panels)
    words = {element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {PRIMARY, BACKUP, "web", "db", "Fenced", "FailoverReady", "no", "yes"} <= words
    if "AVANCE_PICTURE" in os.environ:
        Path(os.environ["AVANCE_PICTURE"]).write_text(svg)


async def the_dashboards_have_data(server: Prometheus) -> None:
    empty = {
        (panel["title"], target["expr"])
        for panel in panels()
        for target in panel["targets"]
        if not await shown(server, panel, target)
    }
    surprising = {each for each in empty if each[0] not in MAY_BE_EMPTY}
    assert not surprising, surprising
    for query in variables():
        assert await server.query(query), query


async def the_rules_are_followed(server: Prometheus) -> None:
    for rule in await server.rules():
        assert (rule["health"], rule.get("lastError", "")) == ("ok", ""), rule
        found = await server.query(rule["query"])
        assert found or rule["type"] == "alerting", f"{rule['name']} records nothing"
    alerts = await server.alerts()
    for alert in alerts:
        words = " ".join(alert["annotations"].values())
        assert not re.search(r"error|<no value>|%!", words), alert
    failed = {
        each["annotations"]["summary"] for each in alerts if each["labels"]["alertname"] == "AvanceComponentFailed"
    }
    assert f"PowerSupply of {BACKUP} failed" in failed


def commands() -> Iterator[str]:
    """What the runbooks tell people to type, in terms of the lab."""
    for page in sorted(RUNBOOKS.glob("*.md")):
        for command in re.findall(r"^\$ (kubectl .*)$", page.read_text(), re.MULTILINE):
            yield command.replace("till -n shop", "web -n default").replace("pair shop", "pair demo")


async def test_what_the_runbooks_say_can_be_typed(site: Site) -> None:
    await site.running_vms("web")
    reset = (RUNBOOKS / "reset-mtbf.yaml").read_text().replace("name: shop", "name: demo")
    typed = 0
    for command in dict.fromkeys(commands()):
        if command.startswith(HERE_ONLY_A_PROCESS):
            continue
        arguments = shlex.split(command)[1:]
        if "docs/runbooks/reset-mtbf.yaml" in arguments:
            arguments = ["create", "-f", "-"]
            reset = re.sub("requestedBy: .*", "requestedBy: lab-admin", reset)
        await site.lab.control_plane.kubectl(*arguments, stdin=reset)
        typed += 1
    assert typed > 20
    await site.action("ResetMTBF", BACKUP)
    await site.lab.control_plane.kubectl("annotate", "node", PRIMARY, "avance.dev/power-authority-")
    exempt = "remediation.medik8s.io/exclude-from-remediation-"
    await site.lab.control_plane.kubectl("label", "node", PRIMARY, exempt)
