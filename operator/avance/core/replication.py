"""The rules on replicated disks: where a VM may be started or moved to, and which server may not be taken away.

With shared storage (a VM without a `storage` view) nothing here has an opinion.
"""

from __future__ import annotations

from collections.abc import Iterator

from avance.core.liveness import reads_off, standing_evidence
from avance.core.maintenance import known_empty
from avance.core.model import NodeView, PairView, VmView
from avance.core.storage import Connection, DiskState, StorageView, VolumeView, Written


def written_now(view: PairView, vm: VmView) -> Written | None:
    """The record of who holds what the VM wrote last, brought up to date; None as long as nothing is known.

    Both servers, once their copies are up to date and connected. Only the one that it writes to, once that very end has
    said that it writes alone: an end that says nothing may be dead, and then nothing was written after the other one.
    """
    storage, known = vm.storage, vm.written
    if storage is None:
        return None
    if in_sync(view, storage):
        return _recorded(known, tuple(node.name for node in view.nodes))
    writer = _writes_alone(view, vm, storage)
    return _recorded(known, (writer,)) if writer else known


def in_sync(view: PairView, storage: StorageView) -> bool:
    """The copies on both servers are up to date and connected, as both ends say."""
    up_to_date = all(storage.state_on(node.name) is DiskState.UP_TO_DATE for node in view.nodes)
    return bool(view.nodes) and up_to_date and storage.link is Connection.CONNECTED


def why_not_start_on(view: PairView, vm: VmView, node_name: str) -> str:
    """Start only from up-to-date disks: why the VM must not be started from the copy on a node; empty if it may.

    Never from a copy that is being resynchronised, outdated or unknown; not from one that the record of the generation
    last written does not name; and only if the other server cannot have written on alone: it is connected, or proven
    off, or known not to hold the newest copy.
    """
    storage = vm.storage
    if storage is None:
        return ""
    holders = vm.written.holders if vm.written else ()
    if holders and node_name not in holders:
        return f"what {vm.key} wrote last is on {' and '.join(holders)}, not on {node_name}"
    if storage.error or not storage.volumes:
        was = storage.last_told(node_name)
        proven = (holders == (node_name,) or _ended_in_place(vm, node_name)) and not (was.lost or was in _BEHIND)
        return "" if proven else f"nobody can tell whether the disks on {node_name} are up to date: {_silence(storage)}"
    state = storage.state_on(node_name)
    if state is not DiskState.UP_TO_DATE:
        return f"the disks of {vm.key} on {node_name} are {_described(storage, node_name)}"
    if holders == (node_name,) or storage.link is Connection.CONNECTED:
        return ""
    return _why_peer_may_be_newer(view, vm, node_name, storage)


def why_not_start_anywhere(view: PairView, vm: VmView) -> str:
    """Why there is no server from whose disks it may be started; empty if there is one."""
    reasons = [why_not_start_on(view, vm, node.name) for node in view.nodes]
    return "" if not all(reasons) else "; ".join(dict.fromkeys(reasons))


def why_ask_again(vm: VmView) -> str:
    """What the storage said before a guest ended is no licence: why it has to be asked again; empty if it has been.

    A VM whose disk dies fails in the same moment, and the answer from before praises that disk.
    """
    instance, storage = vm.instance, vm.storage
    ended_at = vm.vanished_at if instance is None else instance.ended_at
    if storage is None or storage.error or storage.asked_at is None or ended_at is None:
        return ""
    asked_since = storage.asked_at >= ended_at
    return "" if asked_since else f"the storage has not been asked for the disks of {vm.key} since it ended"


def why_not_move(view: PairView, vm: VmView, target: str) -> str:
    """A move only to a server with an up-to-date copy that is connected; empty if it may be made.

    The copy that it leaves may be as bad as it likes: a server that has lost its disk runs on the other one's copy.
    """
    storage = vm.storage
    if storage is None:
        return ""
    split = split_brain(vm)
    if split:
        return split
    if storage.error or not storage.volumes:
        return f"nobody can tell whether the disks on {target} are up to date: {_silence(storage)}"
    if storage.state_on(target) is not DiskState.UP_TO_DATE:
        return f"the disks of {vm.key} on {target} are {_described(storage, target)}"
    if storage.link is not Connection.CONNECTED:
        return f"the disks of {vm.key} are not connected to each other"
    return ""


def split_brain(vm: VmView) -> str:
    """Split brain of a volume, both sides shown. Nobody but a person may say which side's data is thrown away."""
    if vm.storage is None or not vm.storage.split:
        return ""
    volume = vm.storage.split[0]
    sides = " and ".join(f"{each.node} has it {each.disk}, {each.connection}" for each in volume.replicas)
    newest = f"; it wrote last on {' and '.join(vm.written.holders)}" if vm.written else ""
    return (
        f"split brain of volume {volume.name} of {vm.key}: {sides}{newest}. {vm.key} is not moved; "
        "save both sides, then choose one in the storage"
    )


def only_good_copy(view: PairView, node_name: str) -> str:
    """Never take away by choice the only good copy: what would be lost with a server, in words; empty if nothing.

    Asked before a server is drained, rebooted or fenced. Unknown is not good: a copy that cannot be told to be good on
    the other server leaves this one's as the only one. A server whose own copy is no good holds nothing.
    """
    for vm in view.vms:
        if vm.storage is None or not vm.exists:
            continue
        holders = vm.written.holders if vm.written else ()
        if _holds(vm, vm.storage, node_name, holders) and not _elsewhere(view, vm, vm.storage, node_name, holders):
            return f"{node_name} holds the only good copy of the disks of {vm.key}"
    return ""


def why_not_fence(view: PairView, node: NodeView, now: float) -> tuple[str, float | None]:
    """A dead server that holds the only good copy is fenced only once its loss is certain: why not yet, and until when.

    Certain is: its BMC reads `Off`; or nothing has been heard of it for `storage.only_copy_patience_seconds`, so that
    whatever it may still run serves nobody.
    """
    if reads_off(node):
        return "", None
    holds = only_good_copy(view, node.name)
    certain_at = node.heard_at + view.policy.storage.only_copy_patience_seconds
    if not holds or now >= certain_at:
        return "", None
    return f"{holds}: it is not fenced before its loss is certain", certain_at


def resyncing(view: PairView, node_name: str) -> str:
    """How far the disks of a server are being brought up to date, in words; empty if none is."""
    for vm in view.vms:
        if vm.storage is not None and not vm.storage.error:
            for volume in vm.storage.volumes:
                if volume.on(node_name).syncing:
                    return f"{vm.key} on {node_name} {_progress(volume, node_name)}"
    return ""


def why_not_synced(view: PairView, vm: VmView) -> tuple[str, str]:
    """Reason and sentence why the VM's disks are not redundant; both empty when they are.

    Resynchronising is not redundant.
    """
    storage = vm.storage
    if storage is None or in_sync(view, storage):
        return "", ""
    split = split_brain(vm)
    if split:
        return "SplitBrain", split
    if storage.error or not storage.volumes:
        return "StorageSilent", f"whether the disks of {vm.key} are in sync cannot be told: {_silence(storage)}"
    for node in view.nodes:
        state = storage.state_on(node.name)
        if any(volume.on(node.name).syncing for volume in storage.volumes):
            return "Resynchronising", f"the disks of {vm.key} on {node.name} are {_described(storage, node.name)}"
        if state.lost:
            return "DiskLost", f"{node.name} has lost its copy of the disks of {vm.key} ({state})"
    bad = next((node.name for node in view.nodes if storage.state_on(node.name) is not DiskState.UP_TO_DATE), "")
    if bad:
        return "OutOfSync", f"the disks of {vm.key} on {bad} are {_described(storage, bad)}"
    return "NotConnected", f"the disks of {vm.key} are not connected to each other"


def why_not_all_synced(view: PairView) -> tuple[str, str]:
    """The same for the pair. Split brain, which waits for a person, is told first."""
    found = [why_not_synced(view, vm) for vm in view.vms if vm.storage is not None]
    return max(found, key=lambda answer: (answer[0] == "SplitBrain", bool(answer[0])), default=("", ""))


def _recorded(known: Written | None, holders: tuple[str, ...]) -> Written:
    """A new generation begins when a copy falls behind; one that has caught up holds the present one."""
    holders = tuple(sorted(holders))
    if known is None:
        return Written(1, holders)
    falls_behind = not set(known.holders) <= set(holders)
    return known if known.holders == holders else Written(known.generation + falls_behind, holders)


def _writes_alone(view: PairView, vm: VmView, storage: StorageView) -> str:
    """The server whose copy alone takes what the VM writes now; empty if that cannot be told."""
    if not vm.running or not vm.node or view.peer(vm.node) is None or storage.error or not storage.volumes:
        return ""
    own_ends = [volume.on(vm.node) for volume in storage.volumes]
    if all(end.disk is DiskState.UP_TO_DATE for end in own_ends):
        apart = (Connection.DISCONNECTED, Connection.SPLIT)
        behind = any(_known_bad(volume, vm.node) for volume in storage.volumes)
        return vm.node if behind or any(end.connection in apart for end in own_ends) else ""
    peer = view.peer(vm.node)
    runs_on_peers = peer is not None and storage.state_on(peer.name) is DiskState.UP_TO_DATE
    known_bad = any(end.disk.lost or end.disk in _BEHIND for end in own_ends)
    return peer.name if peer and runs_on_peers and known_bad and storage.link is Connection.CONNECTED else ""


_BEHIND = (DiskState.OUTDATED, DiskState.INCONSISTENT)


def _known_bad(volume: VolumeView, writer: str) -> bool:
    """The other copy is lost or behind, as either end says."""
    others = [each for each in volume.replicas if each.node != writer]
    return any(each.state.lost or each.state in _BEHIND for each in others)


def _why_peer_may_be_newer(view: PairView, vm: VmView, node_name: str, storage: StorageView) -> str:
    """Up to date by its own word, but apart from the other copy, which the record holds to be as good."""
    peer = view.peer(node_name)
    if peer is None or standing_evidence(view, peer.name) is not None:
        return ""
    if vm.written is not None and known_empty(peer):
        return ""  # the record names this copy, and on a server in maintenance nothing has written since
    if vm.written is None and storage.state_on(peer.name).lost:
        return ""
    return f"the disks of {vm.key} on {node_name} and {peer.name} are apart, and either may be the newer"


def _ended_in_place(vm: VmView, node_name: str) -> bool:
    """Its last instance is known to have ended here, and was never to go elsewhere: it wrote here last."""
    instance = vm.instance
    return instance is not None and instance.phase.final and instance.node == node_name and not vm.migrations


def _holds(vm: VmView, storage: StorageView, node_name: str, holders: tuple[str, ...]) -> bool:
    if holders and node_name not in holders:
        return False
    state = storage.state_on(node_name)
    return state is DiskState.UP_TO_DATE or (state in (DiskState.UNKNOWN, DiskState.CONSISTENT) and bool(holders))


def _elsewhere(view: PairView, vm: VmView, storage: StorageView, node_name: str, holders: tuple[str, ...]) -> bool:
    """The other server has a copy that is as new, by the record and by its own word."""
    peer = view.peer(node_name)
    if peer is None:
        return False
    return storage.state_on(peer.name) is DiskState.UP_TO_DATE and (not holders or peer.name in holders)


def _silence(storage: StorageView) -> str:
    return storage.error or "the storage tells of no volume of it"


def _described(storage: StorageView, node_name: str) -> str:
    return "; ".join(dict.fromkeys(_descriptions(storage, node_name))) or "unknown"


def _descriptions(storage: StorageView, node_name: str) -> Iterator[str]:
    for volume in storage.volumes:
        replica = volume.on(node_name)
        if replica.syncing:
            yield _progress(volume, node_name)
        elif replica.state is not DiskState.UP_TO_DATE:
            yield f"{replica.state}"


def _progress(volume: VolumeView, node_name: str) -> str:
    replica = volume.on(node_name)
    left = replica.seconds_left
    time_left = "" if left is None else f", about {_time(left)} left"
    return f"being resynchronised ({replica.sync_percent or 0:.0f} %{time_left})"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
