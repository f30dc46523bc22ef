"""What virt-handler writes into a VMI about its guest: conditions, migratability, agent."""

from typing import Any

from e2e.kubevirt.api import Object, annotations_of, key_of, labels_of
from e2e.kubevirt.conditions import condition, remove_condition, set_condition
from e2e.kubevirt.guests import Guest, State
from e2e.kubevirt.launcher_pod import claim_name
from e2e.kubevirt.store import Store

_BRIDGE_ALLOWED = "kubevirt.io/allow-pod-bridge-network-live-migration"
GUEST_OS = {"name": "Debian GNU/Linux", "id": "debian", "version": "12", "kernelRelease": "6.1.0"}


def describe_guest(vmi: Object, guest: Guest, claims: Store) -> None:
    """Brings the VMI's status in line with its guest."""
    status = vmi["status"]
    _describe_migratability(vmi, claims)
    status["machine"] = {"type": "pc-q35-rhel9.4.0"}
    status["migrationTransport"] = "Unix"
    if guest.agent:
        set_condition(vmi, "AgentConnected", True)
        status["guestOSInfo"] = dict(GUEST_OS)
    else:
        remove_condition(vmi, "AgentConnected")
        status.pop("guestOSInfo", None)
    if guest.state is State.PAUSED:
        message = (
            f"VMI was paused, {'by user' if guest.pause_reason == 'PausedByUser' else 'low-level IO error detected'}"
        )
        set_condition(vmi, "Paused", True, guest.pause_reason, message)
    elif condition(vmi, "Paused"):
        remove_condition(vmi, "Paused")


def _describe_migratability(vmi: Object, claims: Store) -> None:
    reason, message = _obstacle(vmi, claims)
    if reason:
        set_condition(vmi, "LiveMigratable", False, reason, message)
    else:
        set_condition(vmi, "LiveMigratable", True)
    blocks = any(
        "persistentVolumeClaim" not in volume and "dataVolume" not in volume
        for volume in vmi["spec"].get("volumes") or []
    )
    vmi["status"]["migrationMethod"] = "BlockMigration" if blocks else "LiveMigration"


def _obstacle(vmi: Object, claims: Store) -> tuple[str, str]:
    """Why the VMI can't live-migrate: condition reason and message; empty when it can."""
    spec: dict[str, Any] = vmi["spec"]
    devices = (spec.get("domain") or {}).get("devices") or {}
    pod_networks = {network["name"] for network in spec.get("networks") or [] if "pod" in network}
    for interface in devices.get("interfaces") or []:
        if "bridge" in interface and interface["name"] in pod_networks and _BRIDGE_ALLOWED not in annotations_of(vmi):
            return (
                "InterfaceNotLiveMigratable",
                "cannot migrate VMI which does not use masquerade to connect to the pod network",
            )
    if devices.get("hostDevices") or devices.get("gpus"):
        return "HostDeviceNotLiveMigratable", "VMI specifies non-migratable generic PCI host device"
    for volume in spec.get("volumes") or []:
        if "hostDisk" in volume:
            return "DisksNotLiveMigratable", "cannot migrate VMI with non-shared HostDisk"
        name = claim_name(volume)
        claim = claims.get((key_of(vmi)[0], name)) if name else None
        if name and "ReadWriteMany" not in ((claim or {}).get("spec") or {}).get("accessModes", []):
            return "DisksNotLiveMigratable", (
                f"cannot migrate VMI: PVC {name} is not shared, live migration requires that all PVCs must be shared "
                "(using ReadWriteMany access mode)"
            )
    return "", ""


def host_name(vmi: Object) -> str:
    """What the guest agent reports as its host name."""
    return str(vmi["spec"].get("hostname") or labels_of(vmi).get("vm.kubevirt.io/name") or vmi["metadata"]["name"])
