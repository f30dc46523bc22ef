"""Is a site ready for a pair? Each answer with what to do about it, from the same rules that the operator goes by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from avance.core.control_plane import why_api_is_at_risk, why_api_would_be_lost
from avance.core.fence_path import other_authority
from avance.core.fencing_report import fence_path
from avance.core.migration_settings import recommended
from avance.core.model import PairView
from avance.core.pairing import why_no_pair
from avance.core.preflight import migrations_ready
from avance.core.what_if import blockers

OLDEST_KUBEVIRT = (1, 4)
SKEW_SECONDS = 2.0
"""Times on record come from several machines; NTP keeps them far closer than this."""

_HOST_MODEL = "host-model-cpu.node.kubevirt.io/"
_MODEL = "cpu-model.node.kubevirt.io/"
_TAKES_MODEL = "cpu-model-migration.node.kubevirt.io/"


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """It works, or cannot be told, and somebody should look."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the answer."""

    about: str
    level: Level
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """What is known of a site."""

    view: PairView
    """The pair; or, before there is one, its nodes as if there were."""
    exists: bool
    """Whether there is an AvancePair."""
    nobody_acts: str
    """Why no operator leads; empty if one does."""
    kubevirt_version: str | None
    """None without KubeVirt; empty if it does not say."""
    kubevirt_phase: str = ""
    emulates: bool = False
    """KubeVirt is configured to run guests without hardware virtualisation."""
    cpu_model: str = ""
    """The CPU model that KubeVirt is configured to give to every guest; empty: that of the host."""
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Of the nodes, by name."""
    shared_storage: bool | None = None
    """Some storage class offers volumes that several nodes can use at once; None if that cannot be told."""
    skews: Mapping[str, float | None] = field(default_factory=dict)
    """By how many seconds the clock of a node is ahead of this machine's; None if it renewed no Lease meanwhile."""


def checks(site: Site, now: float) -> Iterator[Check]:
    """Every check, in the order in which things are put right."""
    yield from _kubevirt(site)
    reason, message = why_no_pair(site.view)
    fix = "label them: avance init NODE-A NODE-B" if reason == "NotTwoNodes" else ""
    names = " and ".join(node.name for node in site.view.nodes)
    found = _check("nodes", message, f"{names} are the two nodes", fix=fix)
    yield found
    if found.level is Level.OK:
        yield from _of_two_nodes(site, now)
    yield _check("operator", site.nobody_acts, "an operator leads", fix="see docs/install.md")


def _of_two_nodes(site: Site, now: float) -> Iterator[Check]:
    yield from _migrations(site)
    yield from _cpu_models(site)
    yield from _control_plane(site)
    if site.exists:
        yield from _fencing(site)
        yield from _what_else_is_in_the_way(site, now)
    else:
        todo = "write the pair: avance init prints it"
        yield Check("fencing", Level.WARNING, "there is no AvancePair yet, so no BMC could be tried", todo)
    yield from _storage(site)
    yield from _clocks(site)


def _check(about: str, hindrance: str, fine: str, *, fix: str = "", level: Level = Level.FAILED) -> Check:
    return Check(about, level, hindrance, fix) if hindrance else Check(about, Level.OK, fine)


def _kubevirt(site: Site) -> Iterator[Check]:
    version = site.kubevirt_version
    if version is None:
        yield Check("KubeVirt", Level.FAILED, "it is not installed", "install KubeVirt 1.4 or newer")
        return
    numbers = version.removeprefix("v").split(".")[:2]
    if not all(number.isdigit() for number in numbers) or len(numbers) < 2:
        yield Check("KubeVirt", Level.WARNING, "it does not say its version", "make sure that it is 1.4 or newer")
    else:
        old = f"it is {version}" if tuple(map(int, numbers)) < OLDEST_KUBEVIRT else ""
        yield _check("KubeVirt", old, f"it is {version}", fix="upgrade it to 1.4 or newer")
    if site.kubevirt_phase != "Deployed":
        phase = site.kubevirt_phase or "nothing yet"
        yield Check(
            "KubeVirt", Level.FAILED, f"its phase is {phase}, not Deployed", "see why virt-operator is not done"
        )
    if site.emulates:
        slow = "developerConfiguration.useEmulation is on: guests run without hardware virtualisation"
        yield Check("KubeVirt", Level.WARNING, slow, "set it to false on servers that have KVM")


def _migrations(site: Site) -> Iterator[Check]:
    """By how many VMs the pair may hold, not only by those that there are now."""
    ready, found = migrations_ready(site.view), site.view.surroundings.migrations
    if found is None or ready.holds is not True:
        level = Level.WARNING if ready.holds is None else Level.FAILED
        yield Check("migrations", level, ready.message)
        return
    most = site.view.policy.limits.max_vms
    aim = recommended(found, most)
    if aim == found:
        yield Check("migrations", Level.OK, f"{most} VMs can move at the same time")
        return
    yield Check(
        "migrations",
        Level.WARNING,
        f"of {most} VMs (limits.maxVMs) {found.from_node} leave a node and {found.in_cluster} move at a time",
        "in spec.configuration.migrations of the KubeVirt object set parallelOutboundMigrationsPerNode to "
        f"{aim.from_node} and parallelMigrationsPerCluster to {aim.in_cluster}",
    )


def _cpu_models(site: Site) -> Iterator[Check]:
    models = {name: _labelled(labels, _MODEL) for name, labels in site.labels.items()}
    bare = [name for name, found in models.items() if not found]
    if bare or not models:
        message = f"no CPU models are on the labels of {' and '.join(bare) or 'any node'}"
        yield Check("CPU models", Level.FAILED, message, "virt-handler writes them: see whether it runs there")
        return
    common = sorted(set.intersection(*models.values()))
    offer = f"set spec.configuration.cpuModel of the KubeVirt object to one that both have: {', '.join(common[-3:])}"
    if not common:
        yield Check(
            "CPU models", Level.FAILED, "the nodes have none in common: no VM can move", "use more equal servers"
        )
    elif site.cpu_model:
        lacks = "" if site.cpu_model in common else f"KubeVirt gives guests {site.cpu_model}, which not both nodes have"
        yield _check("CPU models", lacks, f"every guest has {site.cpu_model}, as both nodes do", fix=offer)
    else:
        one_way = "; ".join(_one_way(site.labels))
        fine = f"{len(common)} in common, and a guest with its host's model can move both ways"
        yield _check("CPU models", one_way, fine, fix=offer)


def _one_way(labels: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """What keeps a guest that was started with the CPU model of its host from moving to the other one."""
    for name, own in labels.items():
        for other, theirs in labels.items():
            for model in sorted(_labelled(own, _HOST_MODEL)):
                if other != name and model not in _labelled(theirs, _TAKES_MODEL):
                    yield f"a guest that was started on {name} has the CPU model {model} and cannot move to {other}"


def _labelled(labels: Mapping[str, str], prefix: str) -> set[str]:
    return {key.removeprefix(prefix) for key, value in labels.items() if key.startswith(prefix) and value == "true"}


def _control_plane(site: Site) -> Iterator[Check]:
    view = site.view
    lost = "; ".join(filter(None, (why_api_would_be_lost(view, node.name) for node in view.nodes)))
    risk = why_api_is_at_risk(view)
    if lost or not risk:
        fine = "it outlives the loss of either node" if view.control_plane else "no node of the cluster runs it"
        yield _check("control plane", lost, fine)
    else:
        yield Check("control plane", Level.WARNING, risk, "run more of it on servers that are not of this pair")


def _fencing(site: Site) -> Iterator[Check]:
    for node in site.view.nodes:
        path = fence_path(node)
        level = {True: Level.OK, False: Level.FAILED, None: Level.WARNING}[path.holds]
        fix = "" if path.holds else "see spec.fencing.nodes of the pair, and docs/install.md"
        yield Check("fencing", level, path.message, fix)
    other = other_authority(site.view)
    if other:
        yield Check("fencing", Level.FAILED, other, "let one controller alone switch a server's power")


def _what_else_is_in_the_way(site: Site, now: float) -> Iterator[Check]:
    """What `FailoverReady` would say beside what was told above."""
    told = {"FencePathFailed", "ControlPlaneLost", "NotTriedYet"}
    found = [one for node in site.view.nodes for one in blockers(site.view, node, now) if one.reason not in told]
    for message, certain in {one.message: one.certain for one in found}.items():
        yield Check("failover", Level.FAILED if certain else Level.WARNING, message)
    if not found:
        yield Check("failover", Level.OK, "nothing else is in the way")


def _storage(site: Site) -> Iterator[Check]:
    local = [vm for vm in site.view.vms if vm.instance is not None and vm.instance.migratable is False]
    for vm in local:
        why = vm.instance.not_migratable_because if vm.instance else ""
        yield Check("storage", Level.FAILED, f"{vm.key} cannot be moved: {why}", "see docs/install.md on disks")
    if not local and site.shared_storage is not True:
        unsure = "whether a storage class offers ReadWriteMany cannot be told"
        found = unsure if site.shared_storage is None else "no storage class offers ReadWriteMany"
        todo = "VM disks need claims that both servers reach, or replicated storage: docs/install.md"
        yield Check("storage", Level.WARNING, found, todo)
    elif not local:
        yield Check("storage", Level.OK, "a storage class offers ReadWriteMany")


def _clocks(site: Site) -> Iterator[Check]:
    unknown = [name for name, skew in site.skews.items() if skew is None]
    if unknown:
        silent = f"{' and '.join(unknown)} renewed no Lease while this was asked"
        yield Check("clocks", Level.WARNING, silent, "see whether its kubelet runs")
    known = {name: skew for name, skew in site.skews.items() if skew is not None}
    apart = _spread(known.values())
    if len(known) > 1 and apart > SKEW_SECONDS:
        told = f"the clocks of {' and '.join(known)} are {apart:.0f} s apart"
        yield Check("clocks", Level.FAILED, told, "let NTP keep the clocks of all servers")
    elif any(abs(skew) > SKEW_SECONDS for skew in known.values()):
        ahead = max(known.values(), key=abs)
        told = f"the nodes' clocks differ from this machine's by {ahead:.0f} s"
        yield Check("clocks", Level.WARNING, told, "see which one is wrong; NTP keeps them together")
    elif known and not unknown:
        yield Check("clocks", Level.OK, "they agree")


def _spread(skews: Iterable[float]) -> float:
    found = list(skews)
    return max(found) - min(found) if found else 0.0
