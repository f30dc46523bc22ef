"""VM failure: restart the VM where it is; one that keeps failing there is tried on the other node, then given up.

Crash, panic and a lost launcher end the instance, and the kubelet says so. A hang does not: there the guest's silence
is weighed, and whatever else could explain it counts for the guest.
"""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.failures import Failure, answer
from avance.core.intents import Intent, LookAgain, incident_id
from avance.core.licence import why_not_ended
from avance.core.liveness import Life, judge
from avance.core.model import InstanceView, PairView, VmPhase, VmView
from avance.core.replication import why_ask_again


def restart_the_vm_where_it_is(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """The first failure is answered at once; a VM that keeps failing is answered ever more slowly, and not for ever."""
    for vm in view.vms:
        instance = vm.instance
        if not vm.should_run or instance is None or not instance.phase.final:
            continue
        if why_not_ended(view, vm, now) or why_ask_again(vm):
            yield LookAgain(now + 1)
            continue
        how = "failed" if instance.phase is VmPhase.FAILED else "shut itself down although it shall run"
        failure = Failure(
            reason="GuestFailed" if instance.phase is VmPhase.FAILED else "GuestShutDown",
            message=f"the guest of {vm.key} {how} on {instance.node or 'its node'}",
            incident=incident_id("vm-failure", vm.name, vm.namespace, instance.uid),
            instance_uid=instance.uid,
            home=instance.node,
        )
        yield from answer(view, vm, failure, now)


def restart_the_hung_guest(view: PairView, now: float) -> Iterator[Intent | LookAgain]:
    """A guest that has answered its health check and does so no longer is restarted where it is."""
    for vm in view.vms:
        instance = vm.instance
        if not vm.should_run or instance is None or instance.signs.silent_since is None:
            continue
        if why_not_judged(view, vm, instance, now):
            continue
        due = _hung_at(view, vm, instance)
        if now < due:
            yield LookAgain(due)
            continue
        silence = now - instance.signs.silent_since
        failure = Failure(
            reason="GuestHung",
            message=f"the guest of {vm.key} on {instance.node} has not answered its health check for {silence:.0f} s",
            incident=incident_id("vm-hang", vm.name, vm.namespace, instance.uid),
            instance_uid=instance.uid,
            home=instance.node,
        )
        yield from answer(view, vm, failure, now)


def why_not_judged(view: PairView, vm: VmView, instance: InstanceView, now: float) -> str:
    """What else could explain a guest's silence, in words; empty if nothing could."""
    if not vm.answered:
        return "its health check has never been answered: nothing is judged by it"
    if instance.paused:
        return "it is paused"
    if instance.signs.frozen:
        return "its file systems are frozen for a snapshot"
    if any(not migration.final for migration in vm.migrations):
        return "it is moving"
    node = view.node(instance.node)
    if node is None or node.ready != "True" or judge(view, node, now).life is not Life.ALIVE:
        return f"{instance.node} is in doubt itself"
    return ""


def _hung_at(view: PairView, vm: VmView, instance: InstanceView) -> float:
    """When its silence has lasted so long that nothing but a hang explains it.

    An agent that has left may be rebooting with its guest, and a guest that the watchdog resets boots as well: both are
    given the time for that.
    """
    check, signs, node = vm.health_check, instance.signs, view.node(instance.node)
    if check is None or signs.silent_since is None or node is None:
        return float("inf")
    since = max(signs.silent_since, node.heard_since)
    patience = check.patience_seconds
    if signs.agent_gone or check.watchdog_resets or vm.answered != instance.uid:
        patience += check.boot_seconds
    return since + patience
