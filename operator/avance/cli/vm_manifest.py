"""What is asked for on the command line, as manifests: pure, so that a dry run shows what would be made."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import yaml

from avance.api.meta import bytes_of
from avance.cli import vm_guest
from avance.cli.exits import USAGE, Failure

Object = dict[str, Any]

INLINE_LIMIT = 2048
"""Characters of user data that KubeVirt takes in the VM itself; longer ones go into a Secret."""
DEFAULT_SIZE = "20Gi"
"""Of a first disk whose image does not say how large it is."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DISK_OPTIONS = {"spindles": "spindles", "class": "storageClassName", "bus": "bus"}


def split_name(text: str, otherwise: str = "default") -> tuple[str, str]:
    """Namespace and name of `NAMESPACE/NAME` or `NAME`; raises Failure for what can be neither."""
    namespace, _, name = text.rpartition("/")
    namespace = namespace or otherwise
    if not _NAME.fullmatch(name) or not _NAME.fullmatch(namespace):
        raise Failure(f"'{text}' names nothing: write NAMESPACE/NAME, in small letters, digits and '-'", USAGE)
    return namespace, name


def protected_vm(chosen: Namespace, pair: str, user_data: str, image_size: str = "") -> list[Object]:
    """The ProtectedVM, after the Secret with its user data if that is long. Raises Failure.

    `image_size`: how large the golden image is, where that is known.
    """
    namespace, name = split_name(chosen.name)
    if len(name) > 52:
        raise Failure(f"'{name}' is too long: choose a name of at most 52 characters", USAGE)
    metadata = {"name": name, "namespace": namespace}
    inline = len(user_data) <= INLINE_LIMIT
    guest = vm_guest.guest(chosen, name)
    disks, interfaces = _disks(chosen, image_size), networks(chosen.networks or ["pod"])
    vm_guest.fit(chosen, disks, interfaces)
    if user_data:
        guest["cloudInit"] = {"userData": user_data} if inline else {"secretName": f"{name}-cloud-init"}
    spec: Object = {
        "pairRef": {"name": pair},
        **vm_guest.size(chosen),
        "restartPriority": chosen.priority,
        **({"running": False} if chosen.stopped else {}),
        "disks": [*disks, *vm_guest.drives(chosen)],
        "networks": interfaces,
        **({"guest": guest} if guest else {}),
    }
    vm = {"apiVersion": "avance.dev/v1alpha1", "kind": "ProtectedVM", "metadata": metadata, "spec": spec}
    secrets = [] if inline else [_secret(namespace, f"{name}-cloud-init", user_data)]
    return [*secrets, *vm_guest.sysprep(chosen, namespace, name), vm]


def user_data(file: str | None, key: str | None) -> str:
    """What cloud-init is told: the file, with the key added; empty for nothing. Raises Failure."""
    text = _read(file, "--cloud-init") if file else ""
    if not key:
        return text
    public = (_read(key, "--ssh-key") if Path(key).is_file() else key).strip()
    if not re.match(r"(ssh-|ecdsa-|sk-)\S+ \S+", public):
        raise Failure("--ssh-key takes a public key, or the file that holds one: ~/.ssh/id_ed25519.pub", USAGE)
    config = _cloud_config(text)
    config["ssh_authorized_keys"] = [*(config.get("ssh_authorized_keys") or ()), public]
    return "#cloud-config\n" + yaml.safe_dump(config, sort_keys=False)


def _cloud_config(text: str) -> Object:
    if not text.strip():
        return {}
    try:
        config = yaml.safe_load(text) if text.startswith("#cloud-config") else None
    except yaml.YAMLError:
        config = None
    if not isinstance(config, dict):
        raise Failure("--ssh-key can be added to a #cloud-config alone: write the key into the user data", USAGE)
    return config


def _read(file: str, option: str) -> str:
    try:
        return Path(file).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{option} {file}: {error}", USAGE) from error


def _secret(namespace: str, name: str, text: str) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"userdata": text}}


def networks(wanted: list[str]) -> list[Object]:
    """The interfaces, in the order in which they were asked for."""
    found: list[Object] = []
    for each in wanted:
        if each == "pod":
            found.append({"name": "default", "pod": True})
            continue
        if not re.fullmatch(r"([-a-z0-9]+/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?", each):
            raise Failure(f"--network {each}: write pod, or NAMESPACE/NAME of a NetworkAttachmentDefinition", USAGE)
        name = each.rpartition("/")[2].replace(".", "-")[:63]
        found.append({"name": name, "networkAttachment": each})
    return found


def _disks(chosen: Namespace, image_size: str) -> list[Object]:
    """A copy of an image is as large as the image, unless more is asked for."""
    first, *others = chosen.disks or ["" if chosen.image else DEFAULT_SIZE]
    root = {"name": "root", **(disk_options(first) if first else {}), **_source(chosen), "bootOrder": 1}
    if first and image_size and bytes_of(root["capacity"]) < bytes_of(image_size):
        raise Failure(f"--disk {first}: the image is {image_size} large, and its disk cannot be smaller", USAGE)
    return [
        root,
        *({"name": f"data{at}", **disk_options(each), "blank": {}} for at, each in enumerate(others, 1)),
    ]


def _source(chosen: Namespace) -> Object:
    """Where the first disk comes from; the parser sees to it that this is said once."""
    if chosen.image:
        namespace, name = split_name(chosen.image, split_name(chosen.name)[0])
        return {"goldenImage": {"name": name, "namespace": namespace}}
    return {"blank": {}} if chosen.blank or chosen.iso else remote_source(chosen)


def remote_source(chosen: Namespace) -> Object:
    """The source behind --http or --registry; raises Failure for an address that is none."""
    if chosen.http:
        if not re.match(r"https?://[^/]+", chosen.http):
            raise Failure(f"--http {chosen.http}: write the whole address: https://<host>/<path>", USAGE)
        return {"http": {"url": chosen.http}}
    if not re.match(r"(docker|oci-archive)://.+", chosen.registry):
        raise Failure(f"--registry {chosen.registry}: write docker://<registry>/<image>:<tag>", USAGE)
    return {"registryImage": {"url": chosen.registry}}


def disk_options(text: str) -> Object:
    """`20Gi,spindles=2,class=fast,bus=sata` as fields of a disk; raises Failure."""
    size, *options = text.split(",")
    found: Object = {"capacity": quantity(size, f"--disk {text}")}
    for option in options:
        key, _, value = option.partition("=")
        if key not in _DISK_OPTIONS or not value:
            raise Failure(f"--disk {text}: write SIZE[,spindles=N][,class=NAME][,bus=virtio|sata|scsi]", USAGE)
        found[_DISK_OPTIONS[key]] = _spindles(text, value) if key == "spindles" else value
    return found


def quantity(size: str, option: str) -> str:
    """Raises Failure for what is no size, or for one that misses its unit."""
    try:
        large_enough = bytes_of(size) >= 1024**2
    except ValueError as error:
        raise Failure(f"{option}: {error}", USAGE) from error
    if not large_enough:
        raise Failure(f"{option}: that is less than 1Mi; mind the unit: 20Gi, not 20", USAGE)
    return size


def _spindles(text: str, value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= 64:
        raise Failure(f"--disk {text}: spindles are the number of disks to stripe over, 1 to 64", USAGE)
    return int(value)
