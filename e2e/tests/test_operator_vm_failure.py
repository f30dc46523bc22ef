"""A VM fails by itself: hung, again and again, or together with those that depend on it."""

import pytest

from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY, Action, Object

pytestmark = pytest.mark.timeout(180)

PING: Object = {"enabled": True, "periodSeconds": 1, "failureThreshold": 2, "initialDelaySeconds": 2}
GRACE: Object = {"spec": {"terminationGracePeriodSeconds": 1}}
"""What a guest that does not hear the power button is given."""


async def test_a_hung_guest_is_restarted_where_it_is_once(site: Site) -> None:
    """Its end is proven by a live kubelet before it is started again, and the new life is left alone."""
    await site.running_vms("web", healthChecks={"guestAgentPing": PING}, template=GRACE)
    await site.until(lambda: answered(site, "web"), "the guest agent has answered")
    site.faults.hang_guest("default", "web")
    restart = await site.action("Restart", "web", within=60)
    await site.vms_run_on(PRIMARY, "web")
    before, after = site.runs("web")
    assert before["ended"] <= after["started"]
    assert after["node"] == PRIMARY
    assert restart.obj["spec"]["reason"] == "GuestHung"
    assert [name for name in names_of(restart) if name != "Release"] == ["EndGuest", "Start", "Boot"]
    await site.until(lambda: answered(site, "web"), "the guest agent has answered in its new life")
    assert len(site.runs("web")) == 2
    assert len(await site.actions("Restart")) == 1


async def test_a_vm_that_keeps_failing_is_tried_on_the_other_node_and_given_up(site: Site) -> None:
    """With an alert that everybody sees, and until a person asks for a Restart."""
    await site.apply_pair(restart={"readyGateSeconds": 20, "startTimeoutSeconds": 30, "maxRestarts": 1})
    await site.running_vms("web")
    site.faults.set_boot("fail", vm=("default", "web"))
    site.faults.crash_guest("default", "web")
    surrender = await site.action("GiveUp", "web", within=90)
    tried = [action.obj["spec"]["destination"] for action in await site.actions("Restart", "web")]
    assert tried == [PRIMARY, BACKUP]
    assert surrender.obj["spec"]["reason"] == "KeepsFailing"
    assert await site.until(lambda: condition(site, "web", "Stable", "GivenUp"), "web is told to be given up")
    await site.until(lambda: told(site, "web"), "an Event about it")
    assert await site.metric('avance_vm_condition{namespace="default",pair="demo",type="Stable",vm="web"}') == 0
    assert await site.metric('avance_actions_total{outcome="Succeeded",reason="KeepsFailing",type="GiveUp"}') >= 1
    lives = len(site.runs("web"))

    site.faults.set_boot("normal", vm=("default", "web"))
    await site.ask_for("Restart", "web")
    await site.vms_run_on(BACKUP, "web", within=60)
    assert len(site.runs("web")) == lives + 1
    await site.until(lambda: condition(site, "web", "Stable", "AsExpected"), "web is trusted again")


async def test_a_cold_restart_follows_dependencies_and_tells_circles(site: Site) -> None:
    """A dependency is started before the VM whatever its own tier is; a circle holds nobody up."""
    await site.apply_vm("db", restartPriority="Low")
    await site.apply_vm("mail", restartPriority="Medium")
    await site.apply_vm("web", restartPriority="High", dependsOn=["db"])
    await site.apply_vm("egg", restartPriority="Low", dependsOn=["hen"])
    await site.apply_vm("hen", restartPriority="Low", dependsOn=["egg"])
    await site.vms_run_on(PRIMARY)
    first = [run["name"] for run in site.ledger.history()][-5:]
    assert first.index("db") < first.index("web") < first.index("mail")
    assert await site.until(lambda: condition(site, "egg", "Ordered", "DependencyCycle"), "the circle is told")
    await site.hardware.power_cut(PRIMARY)
    await site.vms_run_on(BACKUP, within=90)
    again = [run["name"] for run in site.ledger.history() if run["node"] == BACKUP][-5:]
    assert again[:3] == ["db", "web", "mail"]
    await site.action("Rejoin", PRIMARY, within=60)


async def answered(site: Site, vm: str) -> bool:
    """The present instance has, as the status of the ProtectedVM says."""
    live = site.ledger.running()
    uid = next((run["vmi_uid"] for run in live if run["name"] == vm), None)
    return uid is not None and ((await site.pvm(vm)).get("status") or {}).get("guestAnswered") == uid


async def condition(site: Site, vm: str, type_: str, reason: str) -> bool:
    conditions = ((await site.pvm(vm)).get("status") or {}).get("conditions") or ()
    return any(one["type"] == type_ and one["reason"] == reason for one in conditions)


async def told(site: Site, vm: str) -> bool:
    return "KeepsFailing" in await site.events(vm)


def names_of(action: Action) -> list[str]:
    """The steps of an action in the order in which they were entered."""
    return [step["name"] for step in sorted(action.steps, key=lambda step: str(step["startedAt"]))]
