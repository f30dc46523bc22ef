"""Rejoin: a fenced server is powered on, recognised, watched for a while and only then trusted with VMs again.

The out-of-service taint goes as soon as the kubelet of a new boot reports Ready: while it is there no daemon of the
node can run, so neither virt-handler nor replica storage could come back. The cordon, which daemons tolerate, stays
until the node has been stable for as long as the pair's spec asks. It has rejoined when its disks are up to date.

Another server of the same name stays closed until a person has accepted it.
"""

from __future__ import annotations

from avance.core.effects import ClearOutOfService, CloseNode, OpenNode, PowerOff, PowerOn
from avance.core.fitness import why_replaced
from avance.core.intents import RESYNC
from avance.core.liveness import Life, judge, standing_evidence, still_hears
from avance.core.maintenance import planned
from avance.core.model import ActionType, ActionView, NodeView, PairView
from avance.core.power import same_system
from avance.core.progress import Progress, act, cancel, fail, succeed, wait
from avance.core.replication import resyncing

BOOT_PATIENCE_SECONDS = 900.0
"""Longer than a server with much memory takes to test it and boot."""


def advance(action: ActionView, view: PairView, now: float) -> Progress:
    node = view.node(action.target)
    if node is None:
        return wait("AwaitBoot", f"{action.target} is not in the cluster; waiting for its kubelet to register")
    if action.type is ActionType.REJOIN and planned(view, node):
        return cancel("AwaitBoot", f"{node.name} is not taken back now: a person wants to work on it")
    if standing_evidence(view, node.name):
        return _power_on(action, view, node, now)
    verdict = judge(view, node, now)
    if verdict.life is Life.DEAD:
        return fail("AwaitBoot", f"{node.name} died again before it had rejoined: {verdict.because}")
    if node.replaced:
        # Closed first: a server that nobody knows yet comes without our marks.
        order = () if node.closed and node.cordoned else (CloseNode(node.name),)
        return act("Identify", why_replaced(node), *order)
    if verdict.life is not Life.ALIVE or node.ready != "True":
        return wait(
            "AwaitBoot", f"waiting for the kubelet of {node.name} to report Ready", look_at=verdict.reconsider_at
        )
    if node.out_of_service:
        return act("AwaitBoot", f"{node.name} is back: letting its daemons run again", ClearOutOfService(node.name))
    return _stabilise(action, view, node, now)


def _power_on(action: ActionView, view: PairView, node: NodeView, now: float) -> Progress:
    if view.live_pods_on(node.name):
        return wait("PowerOn", f"{node.name} still holds launcher pods that must be given up before it boots")
    if node.power is None or node.power.error or not same_system(node.power.system_uuid, node.system_uuid):
        return wait("AwaitBmc", f"waiting for {node.name} to boot; its BMC gives no usable answer")
    if not node.power.is_off:
        if _only_a_word(action, view, node):
            order = PowerOff(node.name, node.system_uuid)
            words = f"{node.name} is off by a person's word alone, and has power ({node.power.state})"
            return act("MakeSure", f"{words}: cutting it before it boots anew", order)
        return _await_boot(action, view, node, node.power.state, now)
    if not view.policy.recovery.power_on and action.type is not ActionType.REBOOT:
        return wait(
            "PowerOn", f"{node.name} is off and stays off until a person switches it on (recovery.powerOn: Manual)"
        )
    return act("PowerOn", f"switching {node.name} on", PowerOn(node.name, node.system_uuid))


def _only_a_word(action: ActionView, view: PairView, node: NodeView) -> bool:
    """Attested off, and not seen off by its BMC since: whatever it runs in spite of that word ends here."""
    evidence = standing_evidence(view, node.name)
    attested = evidence is not None and evidence.kind == "OperatorAttested"
    return attested and view.policy.recovery.power_on and action.started("PowerOn") is None


def _await_boot(action: ActionView, view: PairView, node: NodeView, state: str, now: float) -> Progress:
    """A server that hangs while it boots gives no sign of its new life, so nothing else would ever help it.

    One that the other server hears has booted: what it lacks no reboot brings back.
    """
    peer = view.peer(node.name)
    heard = peer is not None and still_hears(view, peer, now)
    waiting = action.step is not None and action.step.name == "AwaitBoot"
    began = action.started("AwaitBoot") if waiting else None
    give_up_at = (now if began is None else began) + BOOT_PATIENCE_SECONDS
    if began is not None and now >= give_up_at and view.policy.recovery.power_on and not heard:
        order = PowerOff(node.name, node.system_uuid)
        return act("PowerCycle", f"{node.name} has not come up: switching it off to boot it once more", order)
    return wait("AwaitBoot", f"{node.name} has power ({state}); waiting for its kubelet", look_at=give_up_at)


def _stabilise(action: ActionView, view: PairView, node: NodeView, now: float) -> Progress:
    if not node.accepts_vms:
        return wait("AwaitVirtHandler", f"{node.name} is Ready; waiting for its virt-handler")
    stabilising = action.step is not None and action.step.name in ("Stabilise", "Open", RESYNC)
    began = action.started("Stabilise") if stabilising else None
    trusted_at = (now if began is None else began) + view.policy.recovery.stabilisation_seconds
    if began is None or now < trusted_at:
        return wait("Stabilise", f"{node.name} is fit; watching it before it is trusted again", look_at=trusted_at)
    if node.closed:
        return act("Open", f"opening {node.name} to VMs", OpenNode(node.name))
    if resyncing(view, node.name):
        # Open already: VMs whose disks are good could start here if the other server died now.
        return wait(RESYNC, f"{node.name} serves again; its disks are being brought up to date")
    return succeed("Open", f"{node.name} serves again")
