"""The whole product on a lab, in the words of its domain: VMs that run on a node, faults, actions, what physically ran.

Whatever a test does, afterwards it has to hold that no VM ran twice at once, that every recorded action says why it was
done and how it ended, and that the operators logged no error which the test had not announced.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest_asyncio

from e2e.controlplane import ApiError
from e2e.controlplane.client import STRATEGIC
from e2e.hardware import PAIR_NODES, Hardware
from e2e.kubevirt.faults import Faults
from e2e.lab import Lab
from e2e.tests.conftest import restore
from e2e.tests.operator_records import (
    ACTIONS,
    KUBEVIRT,
    MIGRATIONS,
    PAIR,
    PAIRS,
    PODS,
    PRIMARY,
    PVMS,
    VMIS,
    VMS,
    Action,
    Object,
    Records,
)

POLL_S = 0.1
PATIENCE_S = 30.0


class Site(Records):
    """A pair that a user has set up, its VMs, and what the tests do to it and ask of it."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self._log_seen: dict[Path, int] = {}
        self._announced: list[str] = []

    @property
    def hardware(self) -> Hardware:
        return self.lab.hardware

    @property
    def faults(self) -> Faults:
        assert self.lab.kubevirt is not None
        return self.lab.kubevirt.faults

    async def running_vms(self, *names: str, on: str = PRIMARY, **spec: Any) -> None:
        """Creates VMs of one spec and awaits that they run."""
        for name in names:
            await self.apply_vm(name, **spec)
        await self.vms_run_on(on, *names)

    # What happens to it

    async def force_delete_pods(self, vm: str) -> None:
        """As a person does with `kubectl delete pod --force`."""
        for pod in await self.pods(vm):
            await self.api.delete(f"{PODS}/{pod['metadata']['name']}", {"gracePeriodSeconds": 0})

    async def set_condition(self, node: str, kind: str, status: str, message: str = "") -> None:
        """As a person does with `kubectl patch node --subresource=status`."""
        entry = {"type": kind, "status": status, "reason": "Manual", "message": message or "set by hand"}
        moment = {"lastTransitionTime": "2026-01-01T00:00:00Z", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}
        body = {"status": {"conditions": [entry | moment]}}
        await self.api.patch(f"/api/v1/nodes/{node}/status", body, STRATEGIC)

    async def cordon(self, node: str, closed: bool = True) -> None:
        await self.api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": closed or None}})

    @asynccontextmanager
    async def stranger(self, node: str, memory: str) -> AsyncIterator[None]:
        """A pod that is nobody's business takes memory of a node for as long as this lasts."""
        container = {"name": "app", "image": "registry.example/app:1", "resources": {"requests": {"memory": memory}}}
        spec = {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stranger"}, "spec": spec}
        await self.api.post(PODS, body)
        try:
            yield
        finally:
            await self.api.delete(f"{PODS}/stranger", {"gracePeriodSeconds": 0})

    async def raise_migration_limits(self) -> None:
        """By default KubeVirt lets two migrations leave a node at a time."""
        limits = {"parallelOutboundMigrationsPerNode": 8, "parallelMigrationsPerCluster": 16}
        await self.api.patch(KUBEVIRT, {"spec": {"configuration": {"migrations": limits}}})

    async def operator(self, deed: str, number: int = 1) -> None:
        """Starts, stops or kills an operator."""
        await self.lab.operator(deed, number)

    async def kill_operator_at(self, kind: str, step: str, number: int = 1) -> Action:
        """SIGKILL as soon as an action of that kind has that step on record."""
        action = await self.at_step(kind, step)
        await self.operator("kill", number)
        return action

    async def at_step(self, kind: str, step: str, within: float = PATIENCE_S * 2) -> Action:
        """An action of that kind, as soon as it has that step on record."""
        listing = await self.api.get(ACTIONS)
        for obj in listing["items"]:
            if _is_at(obj, kind, step):
                return Action.of(obj)
        version = listing["metadata"]["resourceVersion"]
        async with asyncio.timeout(within):
            async for event in self.api.watch(ACTIONS, resourceVersion=version):
                if event["type"] != "BOOKMARK" and _is_at(event["object"], kind, step):
                    return Action.of(event["object"])
        raise AssertionError(f"no {kind} was ever at {step}")

    def announce(self, *patterns: str) -> None:
        """Errors of the operators that belong to this test, as regular expressions."""
        self._announced.extend(patterns)

    # What is to be awaited

    async def until(self, look: Callable[[], Awaitable[Any]], what: str, within: float = PATIENCE_S) -> Any:
        """The first true thing that `look` returns; fails saying what it was to be, and what was done."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while not (seen := await look()):
            if loop.time() > deadline:
                raise AssertionError(f"not within {within:g} s: {what}\n{await self.story()}")
            await asyncio.sleep(POLL_S)
        return seen

    async def vms_run_on(self, node: str, *names: str, within: float = PATIENCE_S) -> None:
        """These VMs, or all: they execute there, KubeVirt says so, and the operator says so."""

        async def there() -> bool:
            wanted = names or tuple(pvm["metadata"]["name"] for pvm in (await self.api.get(PVMS))["items"])
            return set(wanted) <= self._executing_on(node) and set(wanted) <= await self._reported_running_on(node)

        await self.until(there, f"{', '.join(names) or 'all VMs'} on {node}", within)

    async def action(self, kind: str, target: str, phase: str = "Succeeded", within: float = PATIENCE_S) -> Action:
        """The latest action of that kind on that target, once it has that phase."""

        async def there() -> Action | None:
            found = await self.actions(kind, target)
            return found[-1] if found and found[-1].phase == phase else None

        action: Action = await self.until(there, f"{kind} of {target} {phase}", within)
        return action

    async def action_says(self, kind: str, target: str, words: str, within: float = PATIENCE_S) -> Action:
        """The open action of that kind on that target, once the message of its step holds these words."""

        async def there() -> Action | None:
            found = await self.actions(kind, target)
            return next((one for one in found if not one.done and words in one.says), None)

        action: Action = await self.until(there, f"{kind} of {target} saying {words!r}", within)
        return action

    async def pair_is(self, condition: str, status: str = "True", words: str = "", within: float = PATIENCE_S) -> str:
        """Awaits a condition of the pair with that status and these words; its message."""

        async def there() -> str | None:
            for found in (await self.pair_status()).get("conditions") or ():
                if found["type"] == condition and found["status"] == status and words in found["message"]:
                    return str(found["message"])
            return None

        return str(await self.until(there, f"pair {condition}={status} {words}", within))

    async def vm_says(self, vm: str, words: str, within: float = PATIENCE_S) -> None:
        """Awaits that a condition of the ProtectedVM holds these words."""

        async def there() -> bool:
            conditions = ((await self.pvm(vm)).get("status") or {}).get("conditions") or ()
            return any(words in condition["message"] for condition in conditions)

        await self.until(there, f"{vm} saying {words!r}", within)

    async def node_is(
        self, node: str, *, state: str = "", score: int | None = None, within: float = PATIENCE_S
    ) -> None:
        """Awaits what the pair's status says of a node. All that follows from the same look is on record before it."""

        async def there() -> bool:
            nodes: list[Object] = (await self.pair_status()).get("nodes") or []
            found = next((one for one in nodes if one["name"] == node), {})
            return bool(found) and state in ("", found["state"]) and score in (None, found["score"])

        await self.until(there, f"{node} {state} {'' if score is None else score}", within)

    async def whole(self, within: float = 60) -> None:
        """Both nodes serve without a mark left on them, nothing is under way, and a crash would be survived."""
        await self.settled(within)
        await self.pair_is("Redundant", within=within)
        await self.pair_is("FailoverReady", within=within)

    async def settled(self, within: float = 60) -> None:
        """Both nodes are there without a mark left on them, and nothing is under way."""

        async def no_marks() -> bool:
            nodes = [await self.node(node) for node in PAIR_NODES]
            return all(self.hardware.alive(node) for node in PAIR_NODES) and not any(map(_marks, nodes))

        async def idle() -> bool:
            return all(action.done for action in await self.actions())

        await self.until(no_marks, "both nodes without marks", within)
        await self.until(idle, "no action under way", within)

    async def revision_when(self, path: str, is_so: Callable[[Object], bool]) -> asyncio.Task[int]:
        """A task whose result is the store's revision at which an object of that kind is first seen to be so.

        All kinds share one sequence of revisions, so these tell what was written before what.
        """
        version = (await self.api.get(path))["metadata"]["resourceVersion"]

        async def watch() -> int:
            async for event in self.api.watch(path, resourceVersion=version):
                if event["type"] in ("ADDED", "MODIFIED") and is_so(event["object"]):
                    return int(event["object"]["metadata"]["resourceVersion"])
            raise AssertionError(f"the watch of {path} ended")

        return asyncio.create_task(watch())

    async def story(self) -> str:
        """What has been done, for a test that fails."""
        lines = [f"{one.type} {one.target} {one.phase} {one.step}: {one.says}" for one in await self.actions()]
        executing = [f"{run['name']} runs on {run['node']}" for run in self.ledger.running()]
        status = await self.pair_status()
        told = [f"{each['type']}={each['status']} {each['message']}" for each in status.get("conditions") or ()]
        return "\n".join([*lines, *executing, *told])

    def _executing_on(self, node: str) -> set[str]:
        return {run["name"] for run in self.ledger.running() if run["node"] == node}

    async def _reported_running_on(self, node: str) -> set[str]:
        statuses = {pvm["metadata"]["name"]: pvm.get("status") or {} for pvm in (await self.api.get(PVMS))["items"]}
        return {
            name for name, told in statuses.items() if told.get("phase") == "Running" and told.get("primary") == node
        }

    # Before and after a test

    async def prepare(self) -> None:
        """An operator that leads, and a pair without VMs and without a past."""
        self._announced.clear()
        self._unannounced_errors()  # what the operators logged before is another test's, or another module's
        self._first_run = max((run["number"] for run in self.ledger.history()), default=0)
        first = self.lab.operators.get(1)
        if first is None or first.pid is None:
            await self.operator("start")
        await self.apply_pair()
        await self.whole()

    async def check(self) -> None:
        """What has to hold after every test."""
        assert self.ledger.violations == [], self.ledger.violation_list()
        for action in await self.actions():
            spec, status = action.obj["spec"], action.obj.get("status") or {}
            assert spec["reason"], action
            assert spec["requestedBy"], action
            assert not action.done or status["result"], action
        for edit in await self.actions("Edit"):
            assert edit.obj["spec"].get("requestedBy") or edit.obj["spec"]["reason"] == "Deleted", edit
        unannounced = self._unannounced_errors()
        assert not unannounced, "\n".join(unannounced)

    async def clean(self) -> None:
        """A whole site with an operator, without VMs, whatever the test left behind."""
        self.faults.set_migrations("normal")
        for node in PAIR_NODES:
            self.faults.set_boot("normal", node=node)
            for condition in (await self.node(node))["status"]["conditions"]:
                if condition["reason"] == "Manual" and condition["status"] == "True":
                    await self.set_condition(node, condition["type"], "False")
            if _marks(await self.node(node)) == {"cordon"}:
                await self.cordon(node, closed=False)
        if self.lab.operators[1].pid is None:
            await self.operator("start")
        await restore(self.hardware)
        try:
            await self.settled()
        finally:  # what one test could not end must not be the next one's trouble
            await self._remove_vms()
        await self._forget_what_failed()
        await self.whole()
        await self._remove_actions()
        await self.api.patch(KUBEVIRT, {"spec": {"configuration": {"migrations": None}}})
        self._unannounced_errors()

    async def _forget_what_failed(self) -> None:
        """What a pair remembers of its components goes with it: no test is to be the past of another."""
        await self.api.delete(PAIR)

        async def gone() -> bool:
            return not (await self.api.get(PAIRS))["items"]

        await self.until(gone, "the pair removed")
        await self._remove_actions()  # the crashes on record are a server's past too
        await self.apply_pair()

    async def _remove_actions(self) -> None:
        async def none_left() -> bool:
            left = [*await self.actions(), *await self.actions("Edit")]
            for action in left:
                await refused(self.api.delete(f"{ACTIONS}/{action.name}"))  # Kubernetes may be faster: its pair is gone
            return not left

        await self.until(none_left, "no actions left")

    async def _remove_vms(self) -> None:
        for pvm in (await self.api.get(PVMS))["items"]:
            await self.api.delete(f"{PVMS}/{pvm['metadata']['name']}")

        async def gone() -> bool:
            return not any([(await self.api.get(path))["items"] for path in (PVMS, VMS, VMIS, PODS, MIGRATIONS)])

        await self.until(gone, "every VM removed", 60)

    def _unannounced_errors(self) -> list[str]:
        """Lines that the operators have written since the last look and that are no ordinary ones."""
        errors = []
        for path in sorted((self.lab.state_dir / "logs").glob("operator-*.log")):
            text = path.read_text(errors="replace")
            errors += [line for line in text[self._log_seen.get(path, 0) :].splitlines() if _alarming(line)]
            self._log_seen[path] = len(text)
        return [line for line in errors if not any(re.search(pattern, line) for pattern in self._announced)]


def _is_at(obj: Object, kind: str, step: str) -> bool:
    action = Action.of(obj)
    return action.type == kind and action.step == step and not action.done


def _marks(node: Object) -> set[str]:
    """What keeps VMs off a node."""
    keys: Iterable[str] = (taint["key"] for taint in node["spec"].get("taints") or ())
    found = {key for key in keys if key != "node.kubernetes.io/unschedulable"}
    found |= {"cordon"} if node["spec"].get("unschedulable") else set()
    found |= {"avance.dev/closed"} if "avance.dev/closed" in (node["metadata"].get("annotations") or {}) else set()
    return found | (set() if node["metadata"]["labels"].get("kubevirt.io/schedulable") == "true" else {"label"})


def _alarming(line: str) -> bool:
    """A log line at level ERROR, or one that is no log line at all (a traceback, a warning of the interpreter)."""
    try:
        return json.loads(line)["level"] in ("ERROR", "CRITICAL")
    except (ValueError, TypeError, KeyError):
        return True


@pytest_asyncio.fixture(name="long_lived_site", scope="session", loop_scope="session")
async def one_site_a_session(lab: Lab) -> Site:
    return Site(lab)


@pytest_asyncio.fixture(name="site", loop_scope="session")
async def fresh_site(long_lived_site: Site) -> AsyncIterator[Site]:
    """A pair without VMs before the test; what must always hold is looked at after it."""
    async with visit(long_lived_site) as site:
        yield site


@asynccontextmanager
async def visit(site: Site) -> AsyncIterator[Site]:
    """Prepares a site, checks it when all that was done has been done, and leaves it clean."""
    await site.prepare()
    try:
        yield site
        await site.check()
    finally:
        await site.clean()


async def refused(request: Awaitable[Any]) -> ApiError | None:
    """The API server's refusal, or None."""
    try:
        await request
    except ApiError as refusal:
        return refusal
    return None
