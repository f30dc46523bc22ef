"""The VirtualMachine of a ProtectedVM, as server-side apply writes it: what its spec asks for and nothing else.

Four choices decide how safe and how quick a failover is:

* `runStrategy: Manual`. KubeVirt then starts nothing by itself, whatever happens to pods and nodes: not when somebody
  force-deletes the launcher pod of a server that only lost its network, not in a crash loop, not in an order of its
  own after a crash. Every start passes through avance's one gate.
* `evictionStrategy: External`. A drain or an upgrade that evicts the VM is refused by KubeVirt and becomes our move.
* Required affinity to the two nodes of the pair, preferred affinity to one. A node selector could not be overridden
  by a migration or a restart on the other node.
* No time limit on the tolerations of unreachable and not-ready. Their default would have the guest shut down when a
  server comes back from a partition of more than five minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from avance.api.guest import Guest
from avance.api.protected_vm import Network, ProtectedVM
from avance.kubevirt.affinity import pair_affinity, pair_tolerations
from avance.kubevirt.disks import data_volume_templates, disk_devices, volumes
from avance.kubevirt.overlay import merged
from avance.kubevirt.probes import readiness_probe

Object = dict[str, Any]

PAIR_LABEL = "avance.dev/pair"
PREFERS_ANNOTATION = "avance.dev/prefers"
MANAGED_LABEL, MANAGED_BY = "app.kubernetes.io/managed-by", "avance"
_SHUTDOWN_SECONDS = {"Linux": 60, "Windows": 300}


def virtual_machine(
    pvm: ProtectedVM,
    owner_uid: str,
    hostnames: Mapping[str, str],
    prefer: str,
    striped: Mapping[str, str] = MappingProxyType({}),
) -> Object:
    """The VirtualMachine that runs `pvm` on one of these nodes (name to hostname label), preferring that named last.

    `striped`: the StorageClass of each new disk with spindles.
    """
    spec = pvm.spec
    template: Object = {
        "metadata": {"labels": {PAIR_LABEL: spec.pair_ref.name, "avance.dev/vm": pvm.metadata.name}},
        "spec": {
            "evictionStrategy": "External",
            "terminationGracePeriodSeconds": _SHUTDOWN_SECONDS[spec.guest.os],
            "affinity": pair_affinity(None, hostnames.values(), hostnames.get(prefer, prefer)),
            "tolerations": pair_tolerations(),
            "domain": _domain(pvm),
            "networks": [_network(network) for network in spec.networks],
            "volumes": volumes(pvm),
            **readiness_probe(pvm.spec.health_checks),
        },
    }
    return {
        "metadata": {
            "name": pvm.metadata.name,
            "namespace": pvm.metadata.namespace,
            "labels": {MANAGED_LABEL: MANAGED_BY, PAIR_LABEL: spec.pair_ref.name},
            "annotations": {PREFERS_ANNOTATION: prefer},
            "ownerReferences": [_owner(pvm, owner_uid)],
        },
        "spec": {
            "runStrategy": "Manual",
            "template": merged(template, spec.template),
            **_sized_by_reference(pvm),
            **data_volume_templates(pvm, striped),
        },
    }


def _owner(pvm: ProtectedVM, uid: str) -> Object:
    return {
        "apiVersion": "avance.dev/v1alpha1",
        "kind": "ProtectedVM",
        "name": pvm.metadata.name,
        "uid": uid,
        "controller": True,
    }


def _domain(pvm: ProtectedVM) -> Object:
    spec, windows = pvm.spec, pvm.spec.guest.os == "Windows"
    devices: Object = {
        "disks": disk_devices(pvm),
        "interfaces": [_interface(network) for network in spec.networks],
        "rng": {},
        **_watchdog(pvm),
    }
    if not spec.networks:
        # KubeVirt would attach the pod network by a bridge otherwise, and such a VM cannot be live-migrated.
        devices["autoattachPodInterface"] = False
    if spec.health_checks.panic_device:
        devices["panicDevices"] = [{"model": "hyperv" if windows else "isa"}]
    domain: Object = {"devices": devices}
    if spec.cores is not None:
        domain["cpu"] = {"cores": spec.cores}
    if spec.memory is not None:
        domain["memory"] = {"guest": spec.memory}
    if spec.guest.tpm != "None":
        devices["tpm"] = {"persistent": True} if spec.guest.tpm == "Persistent" else {}
    comforts = _windows_comforts() if windows and not spec.guest.preference else {}
    fitted: Object = merged(merged(domain, comforts), _firmware(spec.guest))
    return fitted


def _firmware(guest: Guest) -> Object:
    """UEFI where it is asked for. Its secure boot rests on a mode of the processor that is off otherwise."""
    chosen = guest.firmware
    if chosen is None or not chosen.uefi:
        return {}
    efi: Object = {"secureBoot": chosen.secure_boot}
    if chosen.persistent:
        efi["persistent"] = True
    smm = {"features": {"smm": {"enabled": True}}} if chosen.secure_boot else {}
    return {"firmware": {"bootloader": {"efi": efi}}, **smm}


def _windows_comforts() -> Object:
    """The clock and enlightenments without which Windows is slow and its time drifts; a preference brings its own.

    None of them ties the guest to the frequency of one host's clock, as `reenlightenment` would.
    """
    plain = ("relaxed", "vapic", "vpindex", "runtime", "synic", "synictimer", "tlbflush", "ipi", "frequencies", "reset")
    return {
        "clock": {"utc": {}, "timer": {"hpet": {"present": False}, "pit": {"tickPolicy": "delay"}, "hyperv": {}}},
        "features": {
            "acpi": {},
            "apic": {},
            "hyperv": {**{name: {} for name in plain}, "spinlocks": {"spinlocks": 8191}},
        },
    }


def _watchdog(pvm: ProtectedVM) -> Object:
    action = pvm.spec.health_checks.watchdog
    return {} if action == "None" else {"watchdog": {"name": "watchdog", "i6300esb": {"action": action.lower()}}}


def _interface(network: Network) -> Object:
    """Masquerade on the pod network, because a bridge there could not be live-migrated."""
    binding: Object = {"masquerade": {}} if network.pod else {"bridge": {}}
    address = {"macAddress": network.mac_address} if network.mac_address else {}
    return {"name": network.name, "model": network.model, **binding, **address}


def _network(network: Network) -> Object:
    source: Object = {"pod": {}} if network.pod else {"multus": {"networkName": network.network_attachment}}
    return {"name": network.name, **source}


def _sized_by_reference(pvm: ProtectedVM) -> Object:
    guest, fields = pvm.spec.guest, {}
    if guest.instance_type:
        fields["instancetype"] = {"name": guest.instance_type.name, "kind": guest.instance_type.kind}
    if guest.preference:
        fields["preference"] = {"name": guest.preference.name, "kind": guest.preference.kind}
    return fields
