"""What `avance vm create` asks for: the pair and the image are looked up, and the VM is made."""

from __future__ import annotations

from argparse import Namespace

from avance.cli.exits import USAGE, Failure
from avance.cli.following import make, show
from avance.cli.golden import found_image
from avance.cli.looking import answered
from avance.cli.vm_manifest import protected_vm, split_name, user_data
from avance.kube.client import Kube
from avance.kube.resources import AVANCE_PAIRS
from avance.operator.glimpse import connected


def create(chosen: Namespace) -> int:
    """`avance vm create`. Raises Failure."""
    if chosen.cores is not None and chosen.cores < 1:
        raise Failure("--cores: a VM has at least one", USAGE)
    return answered(_create(chosen))


async def _create(chosen: Namespace) -> int:
    """A dry run that has nothing to look up needs no cluster."""
    text, size = user_data(chosen.cloud_init, chosen.ssh_key), ""
    objects = protected_vm(chosen, chosen.pair, text)  # what makes no sense is told before anybody is asked
    if chosen.dry_run and chosen.pair and "/" in (chosen.image or "/"):
        return show(chosen, objects)
    async with connected(chosen.kubeconfig, chosen.context) as kube:
        pair = await pair_of(kube, chosen.pair)
        if chosen.image:
            chosen.image, size = await found_image(kube, chosen.image, split_name(chosen.name)[0])
        objects = protected_vm(chosen, pair, text, size)
        return show(chosen, objects) if chosen.dry_run else await make(chosen, kube, objects)


async def pair_of(kube: Kube, name: str) -> str:
    """The pair that is meant: the one of this name, or the only one. Raises Failure."""
    there = sorted(pair["metadata"]["name"] for pair in (await kube.list(AVANCE_PAIRS)).items)
    if not there:
        raise Failure("there is no AvancePair yet: avance init NODE-A NODE-B writes one", USAGE)
    if name and name not in there:
        raise Failure(f"there is no AvancePair {name}; there are: {', '.join(there)}", USAGE)
    if not name and len(there) > 1:
        raise Failure(f"say which pair is meant by --pair; there are: {', '.join(there)}", USAGE)
    return name or there[0]
