"""Golden images: what there are, where one of them is, and how one is made and followed until it is ready."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from argparse import Namespace
from typing import Any

from avance.cli.exits import NO, OK, TIMED_OUT, UNREACHABLE, USAGE, Failure
from avance.cli.following import Patience, conditions_of, created, read, say, tell
from avance.cli.looking import answered
from avance.cli.terminal import length, one_line, table
from avance.cli.vm_manifest import quantity, remote_source, split_name
from avance.core.provisioning import FILLED, NewDisk, why_not_filled
from avance.core.provisioning import Provisioning as Disks
from avance.kube.client import Kube
from avance.kube.errors import Forbidden, NotFound
from avance.kube.resources import DATA_SOURCES, DATA_VOLUMES
from avance.operator.clock import from_api
from avance.operator.glimpse import connected
from avance.operator.new_disks import as_new_disk
from avance.storage.claims import CLAIMS

Object = dict[str, Any]

POLL_SECONDS = 0.5
LABEL = "app.kubernetes.io/managed-by"


def show_images(chosen: Namespace) -> int:
    """`avance image list`."""
    return answered(_show(chosen))


async def _show(chosen: Namespace) -> int:
    async with connected(chosen.kubeconfig, chosen.context) as kube:
        images = await all_images(kube)
        sizes = await _sizes(kube)
    rows = [_row(image, sizes) for image in images]
    if chosen.output == "json":
        sys.stdout.write(f"{json.dumps(rows)}\n")
    elif rows:
        columns = ("image", "size", "age", "ready", "why")
        lines = [[str(row[column]) for column in columns] for row in rows]
        sys.stdout.write("".join(f"{line}\n" for line in table([[name.upper() for name in columns], *lines])))
    else:
        sys.stdout.write("there is no golden image yet: avance image import NAME, or avance vm template VM\n")
    return OK


async def all_images(kube: Kube) -> list[Object]:
    """Every DataSource that may be seen. Raises Failure without CDI, and for who may not look."""
    try:
        found = (await kube.list(DATA_SOURCES)).items
    except NotFound as error:
        raise Failure("golden images need CDI, which is not installed: see docs/golden-images.md", NO) from error
    except Forbidden as error:
        raise Failure(f"the API server refuses it: {error.message}", UNREACHABLE) from error
    return sorted(found, key=lambda each: (each["metadata"]["namespace"], each["metadata"]["name"]))


async def _sizes(kube: Kube) -> dict[tuple[str, str], str]:
    """The size of every claim, as far as they may be seen."""
    try:
        claims = (await kube.list(CLAIMS)).items
    except Forbidden:
        return {}
    return {
        (claim["metadata"]["namespace"], claim["metadata"]["name"]): _in_units(
            claim["spec"]["resources"]["requests"]["storage"]
        )
        for claim in claims
    }


def _in_units(size: str) -> str:
    """`5Gi` of `5368709120`, as CDI writes the size of a copy."""
    number = int(size) if size.isdecimal() else 0
    units = (("Ti", 1024**4), ("Gi", 1024**3), ("Mi", 1024**2))
    return next((f"{number // each}{unit}" for unit, each in units if number and number % each == 0), size)


def _row(image: Object, sizes: dict[tuple[str, str], str]) -> Object:
    metadata = image["metadata"]
    ready = conditions_of(image).get("Ready", {})
    good = ready.get("status") == "True"
    return {
        "image": f"{metadata['namespace']}/{metadata['name']}",
        "size": sizes.get(_claim_of(image), "?"),
        "age": length(max(0.0, time.time() - from_api(metadata["creationTimestamp"]))),
        "ready": "yes" if good else "NO",
        "why": "" if good else one_line(str(ready.get("message") or "CDI has not looked at it yet")),
    }


def _claim_of(image: Object) -> tuple[str, str]:
    claim = (image["spec"].get("source") or {}).get("pvc") or {}
    return claim.get("namespace") or image["metadata"]["namespace"], claim.get("name", "")


async def found_image(kube: Kube, wanted: str, namespace: str) -> tuple[str, str]:
    """Full name and size (empty if unknown) of the image that is meant: one of this namespace, else the only one.

    Raises Failure for what is not there. Who may not look is believed.
    """
    try:
        images = {
            "/".join((each["metadata"]["namespace"], each["metadata"]["name"])): each for each in await all_images(kube)
        }
    except Failure as failure:
        if failure.status == UNREACHABLE:
            return "/".join(split_name(wanted, namespace)), ""
        raise
    own = "/".join(split_name(wanted, namespace))
    same = [own] if own in images else [key for key in images if "/" not in wanted and key.endswith(f"/{wanted}")]
    if len(same) != 1:
        there = ", ".join(same or images) or "none"
        raise Failure(f"say which golden image is meant as NAMESPACE/NAME; there are: {there}", USAGE)
    sizes = await _sizes(kube)
    return same[0], sizes.get(_claim_of(images[same[0]]), "")


def import_image(chosen: Namespace) -> int:
    """`avance image import`. Raises Failure."""
    namespace, name = split_name(chosen.name)
    [(kind, where)] = remote_source(chosen).items()
    source = {"registry" if kind == "registryImage" else kind: where}
    size = quantity(chosen.size, "--size")
    return answered(_import(chosen, golden_image(namespace, name, source, size)))


async def _import(chosen: Namespace, objects: tuple[Object, Object]) -> int:
    async with connected(chosen.kubeconfig, chosen.context) as kube:
        return await make_image(chosen, kube, objects)


def golden_image(
    namespace: str, name: str, source: Object, size: str = "", class_name: str = ""
) -> tuple[Object, Object]:
    """The DataVolume that holds an image, and the DataSource that VMs name."""
    metadata = {"name": name, "namespace": namespace, "labels": {LABEL: "avance"}}
    storage: Object = {"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}
    if size:
        storage["resources"] = {"requests": {"storage": size}}
    if class_name:
        storage["storageClassName"] = class_name
    volume = {
        "apiVersion": DATA_VOLUMES.api_version,
        "kind": DATA_VOLUMES.kind,
        # Where the storage class waits for a first consumer, an image that nobody runs would wait for ever.
        "metadata": {**metadata, "annotations": {"cdi.kubevirt.io/storage.bind.immediate.requested": "true"}},
        "spec": {"source": source, "storage": storage},
    }
    image = {
        "apiVersion": DATA_SOURCES.api_version,
        "kind": DATA_SOURCES.kind,
        "metadata": metadata,
        "spec": {"source": {"pvc": {"name": name, "namespace": namespace}}},
    }
    return volume, image


async def make_image(chosen: Namespace, kube: Kube, objects: tuple[Object, Object]) -> int:
    """Make the image, and follow it until VMs can be made from it. Raises Failure."""
    volume, image = objects
    namespace, name = image["metadata"]["namespace"], image["metadata"]["name"]
    made = await created(kube, DATA_VOLUMES, volume)
    try:
        # The DataSource goes with its DataVolume, so that nothing offers what is no longer there.
        owner = {"apiVersion": DATA_VOLUMES.api_version, "kind": DATA_VOLUMES.kind, "name": name}
        owned = {**image["metadata"], "ownerReferences": [{**owner, "uid": made["metadata"]["uid"]}]}
        image = await created(kube, DATA_SOURCES, {**image, "metadata": owned})
    except Failure:
        await kube.delete(DATA_VOLUMES, name, namespace, uid=made["metadata"]["uid"])
        raise
    if not chosen.wait:
        return tell(chosen, image, f"{namespace}/{name} is being made; `avance image list` tells when it is ready")
    return await _until_ready(chosen, kube, namespace, name)


async def _until_ready(chosen: Namespace, kube: Kube, namespace: str, name: str) -> int:
    patience, told = Patience(chosen.timeout), ""
    while True:
        image = await read(kube, DATA_SOURCES, name, namespace)
        if image and conditions_of(image).get("Ready", {}).get("status") == "True":
            return tell(chosen, image, f"golden image {namespace}/{name} is ready")
        volume = await read(kube, DATA_VOLUMES, name, namespace)
        disk = as_new_disk(name, volume) if volume else NewDisk(name, f"{namespace}/{name}")
        news = one_line(why_not_filled(Disks((disk,))))
        if news and news != told:
            say(news)
            told = news
        if patience.is_lost(failing=bool(disk.trouble) or disk.tries > 1):
            undo = f"kubectl delete datavolume {name} -n {namespace}"
            raise Failure(f"{news}; CDI goes on trying: to give it up, {undo}", NO)
        if patience.is_over and disk.phase != FILLED:
            raise Failure(f"{namespace}/{name} is not ready after {length(chosen.timeout)}, and goes on", TIMED_OUT)
        await asyncio.sleep(POLL_SECONDS)
