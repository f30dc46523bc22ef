"""What `avance vm create` is told of the guest, as parts of a manifest: size, firmware, first boot, CD-ROM drives."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from avance.cli.exits import USAGE, Failure

Object = dict[str, Any]

ISO_SIZE = "10Gi"
"""Room for an installation medium that is fetched: that of a Windows Server is 5 to 6 GiB."""
_CORES, _MEMORY = 2, "4Gi"


def add(parser: ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "--windows",
        action="store_true",
        help="the guest is Windows: UEFI with secure boot and a TPM that lasts, unless --preference says what suits it",
    )
    parser.add_argument("--instance-type", metavar="NAME", help="a KubeVirt instance type, which is its size")
    parser.add_argument("--preference", metavar="NAME", help="a KubeVirt preference, which says what suits the guest")
    parser.add_argument("--uefi", action="store_true", help="boot by UEFI in place of BIOS")
    parser.add_argument("--secure-boot", action="store_true", help="boot only what is signed, by UEFI")
    parser.add_argument("--tpm", choices=("None", "Ephemeral", "Persistent"), help="a TPM 2.0 (default: None)")
    parser.add_argument("--drivers", metavar="IMAGE", help="a container image with a CD-ROM of drivers (virtio)")
    parser.add_argument(
        "--sysprep",
        metavar="FILE|secret:NAME",
        help="answers for Windows: autounattend.xml with --iso, unattend.xml without, or a Secret with either",
    )


def size(chosen: Namespace) -> Object:
    """Cores and memory, or neither beside an instance type. Raises Failure."""
    if chosen.instance_type:
        if chosen.cores is not None or chosen.memory is not None:
            raise Failure("--instance-type says how large the VM is: leave out --cores and --memory", USAGE)
        return {}
    return {"cores": _CORES if chosen.cores is None else chosen.cores, "memory": chosen.memory or _MEMORY}


def guest(chosen: Namespace, name: str) -> Object:
    """The part `guest` of the spec; empty where nothing is asked for. Raises Failure."""
    fields: Object = {"os": "Windows"} if chosen.windows else {}
    if chosen.instance_type:
        fields["instanceType"] = {"name": chosen.instance_type}
    if chosen.preference:
        fields["preference"] = {"name": chosen.preference}
    fitted = chosen.windows and not chosen.preference
    if fitted or chosen.uefi or chosen.secure_boot:
        fields["firmware"] = {
            "uefi": True,
            **({"secureBoot": True} if fitted or chosen.secure_boot else {}),
            **({"persistent": True} if fitted else {}),
        }
    tpm = chosen.tpm or ("Persistent" if fitted else "None")
    if tpm != "None":
        fields["tpm"] = tpm
    if chosen.sysprep:
        fields["sysprep"] = {"secretName": _sysprep_secret(chosen, name)}
    return fields


def sysprep(chosen: Namespace, namespace: str, name: str) -> list[Object]:
    """The Secret with the answers, if they come from a file. Raises Failure."""
    if not chosen.sysprep or chosen.sysprep.startswith("secret:"):
        return []
    try:
        text = Path(chosen.sysprep).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"--sysprep {chosen.sysprep}: {error}", USAGE) from error
    if "<unattend" not in text:
        raise Failure(f"--sysprep {chosen.sysprep}: that is no answer file: it has no <unattend> element", USAGE)
    key = "autounattend.xml" if chosen.iso else "unattend.xml"
    metadata = {"name": _sysprep_secret(chosen, name), "namespace": namespace}
    return [{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {key: text}}]


def fit(chosen: Namespace, disks: list[Object], networks: list[Object]) -> None:
    """Windows finds no virtio devices without drivers: what it is installed with alone is what every Windows knows."""
    if chosen.windows and chosen.iso and not chosen.drivers:
        for disk in disks:
            disk.setdefault("bus", "sata")
        for network in networks:
            network["model"] = "e1000e"


def drives(chosen: Namespace) -> list[Object]:
    """The CD-ROM drives. Raises Failure."""
    found: list[Object] = []
    if chosen.iso:
        # Behind the first disk: an installed one boots, and an empty one does not.
        found.append({"name": "iso", "cdrom": True, **_iso(chosen.iso), "bootOrder": 2})
    if chosen.drivers:
        found.append({"name": "drivers", "cdrom": True, "containerImage": chosen.drivers})
    return found


def _iso(text: str) -> Object:
    source, _, room = text.partition(",")
    if source.startswith("claim:"):
        if room:
            raise Failure(f"--iso {text}: a claim has its own size: leave out {room}", USAGE)
        return {"claim": {"name": source.removeprefix("claim:")}}
    new = {"capacity": room or ISO_SIZE}
    if re.match(r"https?://[^/]+", source):
        return {"http": {"url": source}, **new}
    if re.match(r"(docker|oci-archive)://.+", source):
        return {"registryImage": {"url": source}, **new}
    raise Failure(f"--iso {text}: write https://<host>/<path>, docker://<registry>/<image> or claim:<name>", USAGE)


def _sysprep_secret(chosen: Namespace, name: str) -> str:
    if not chosen.windows:
        raise Failure("--sysprep is for Windows: add --windows, or use --cloud-init", USAGE)
    own = str(chosen.sysprep)
    return own.removeprefix("secret:") if own.startswith("secret:") else f"{name}-sysprep"
