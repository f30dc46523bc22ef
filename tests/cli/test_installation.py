"""The preflight: each thing that can be wanting is told, with what to do; a site that lacks nothing passes."""

import json
from dataclasses import replace
from typing import Any

import pytest

from avance.cli.install_check import as_json, as_text
from avance.cli.terminal import plain
from avance.core.installation import Check, Level, Site, checks
from avance.core.kubevirt_health import KubeVirtHealth
from avance.core.migration_settings import MigrationSettings
from avance.core.model import PairView
from avance.core.surroundings import Surroundings
from tests.core.views import NOW, launcher, node, pair, reads, running

A, B = node("node-a", power=reads("On")), node("node-b", power=reads("On", "node-b"))
WEB = running("web")
UNREAD = Surroundings(kubevirt=KubeVirtHealth())
NARROW = Surroundings(kubevirt=KubeVirtHealth(), migrations=MigrationSettings())
ROOMY = Surroundings(kubevirt=KubeVirtHealth(), migrations=MigrationSettings(in_cluster=8, from_node=8))
SKYLAKE = {
    "host-model-cpu.node.kubevirt.io/Skylake": "true",
    "cpu-model.node.kubevirt.io/Skylake": "true",
    "cpu-model.node.kubevirt.io/Nehalem": "true",
    "cpu-model-migration.node.kubevirt.io/Skylake": "true",
}
OLDER = {
    "host-model-cpu.node.kubevirt.io/Nehalem": "true",
    "cpu-model.node.kubevirt.io/Nehalem": "true",
    "cpu-model-migration.node.kubevirt.io/Nehalem": "true",
}
STRANGE = {"cpu-model.node.kubevirt.io/EPYC": "true", "host-model-cpu.node.kubevirt.io/EPYC": "true"}


def whole(a: object = A, b: object = B, **fields: Any) -> PairView:
    return replace(pair(a, b, (WEB,), (launcher(WEB),)), **{"surroundings": ROOMY, **fields})  # type: ignore[arg-type]


def site(view: PairView | None = None, **fields: Any) -> Site:
    sound: dict[str, Any] = {
        "exists": True,
        "nobody_acts": "",
        "kubevirt_version": "v1.6.0",
        "kubevirt_phase": "Deployed",
        "labels": {"node-a": SKYLAKE, "node-b": SKYLAKE},
        "shared_storage": True,
        "skews": {"node-a": 0.1, "node-b": -0.2},
    }
    return Site(view or whole(), **(sound | fields))


def told(of: Site, about: str) -> list[Check]:
    return [check for check in checks(of, NOW) if check.about == about and check.level is not Level.OK]


def test_a_site_that_lacks_nothing_passes() -> None:
    found = list(checks(site(), NOW))
    assert {check.level for check in found} == {Level.OK}, found
    assert {check.about for check in found} == {
        *("KubeVirt", "nodes", "migrations", "CPU models", "control plane", "fencing", "failover", "storage", "clocks"),
        "operator",
    }
    assert as_text(found, plain).endswith("\nReady, 0 warnings.\n")


@pytest.mark.parametrize(
    ("of", "about", "level", "words"),
    [
        (site(kubevirt_version=None), "KubeVirt", Level.FAILED, "not installed"),
        (site(kubevirt_version="v1.3.2"), "KubeVirt", Level.FAILED, "it is v1.3.2"),
        (site(kubevirt_version=""), "KubeVirt", Level.WARNING, "does not say"),
        (site(kubevirt_version="v0.59.0"), "KubeVirt", Level.FAILED, "it is v0.59.0"),
        (site(kubevirt_phase="Deploying"), "KubeVirt", Level.FAILED, "Deploying"),
        (site(emulates=True), "KubeVirt", Level.WARNING, "without hardware"),
        (site(replace(whole(), nodes=(A,))), "nodes", Level.FAILED, "matches 1 nodes"),
        (
            site(whole(surroundings=NARROW)),
            "migrations",
            Level.WARNING,
            "of 8 VMs",
        ),
        (
            site(whole(surroundings=UNREAD)),
            "migrations",
            Level.WARNING,
            "not been read",
        ),
        (site(labels={"node-a": SKYLAKE, "node-b": {}}), "CPU models", Level.FAILED, "labels of node-b"),
        (site(labels={"node-a": SKYLAKE, "node-b": STRANGE}), "CPU models", Level.FAILED, "none in common"),
        (site(labels={"node-a": SKYLAKE, "node-b": OLDER}), "CPU models", Level.FAILED, "cannot move to node-b"),
        (site(cpu_model="Skylake", labels={"node-a": SKYLAKE, "node-b": OLDER}), "CPU models", Level.FAILED, "gives"),
        (site(whole(control_plane=("node-a",))), "control plane", Level.FAILED, "only control-plane node"),
        (site(whole(control_plane=("node-a", "node-b", "c"))), "control plane", Level.WARNING, "holds 2 of 3"),
        (site(whole(a=replace(A, power=reads("", error="no answer")))), "fencing", Level.FAILED, "no answer"),
        (site(whole(a=replace(A, power=None))), "fencing", Level.WARNING, "has not been asked yet"),
        (site(whole(a=replace(A, power=reads("On", uuid="another")))), "fencing", Level.FAILED, "another server"),
        (site(whole(b=replace(B, hears_peer=None))), "failover", Level.FAILED, "no detector on node-b"),
        (site(exists=False), "fencing", Level.WARNING, "no AvancePair yet"),
        (site(replace(whole(), vms=()), shared_storage=False), "storage", Level.WARNING, "no storage class offers"),
        (site(replace(whole(), vms=()), shared_storage=None), "storage", Level.WARNING, "cannot be told"),
        (site(skews={"node-a": 0.0, "node-b": 30.0}), "clocks", Level.FAILED, "30 s apart"),
        (site(skews={"node-a": 30.0, "node-b": 30.2}), "clocks", Level.WARNING, "this machine's"),
        (site(skews={"node-a": 0.0, "node-b": None}), "clocks", Level.WARNING, "node-b renewed no Lease"),
        (site(nobody_acts="no operator leads"), "operator", Level.FAILED, "no operator leads"),
    ],
)
def test_what_is_wanting_is_told(of: Site, about: str, level: Level, words: str) -> None:
    found = told(of, about)
    assert [check.level for check in found] == [level], found
    assert words in found[0].message
    others = {check.about for check in checks(of, NOW) if check.level is Level.FAILED} - {about}
    assert not others - {"failover"}, "one thing that is wanting is not told as several"


def test_a_model_that_both_have_lets_unlike_servers_move_their_guests() -> None:
    assert told(site(cpu_model="Nehalem", labels={"node-a": SKYLAKE, "node-b": OLDER}), "CPU models") == []
    unlike = told(site(labels={"node-a": SKYLAKE, "node-b": OLDER}), "CPU models")
    assert unlike[0].fix.endswith("Nehalem")


def test_each_answer_says_what_to_do_and_the_sum() -> None:
    found = list(checks(site(kubevirt_version=None, skews={"node-a": 9.0, "node-b": 9.0}), NOW))
    text = as_text(found, plain)
    assert "\n         to do: install KubeVirt 1.4 or newer\n" in text
    assert text.endswith("\n1 failed, 1 warning.\n")
    document = json.loads(as_json(found))
    assert (document["ready"], document["checks"][0]["level"]) == (False, "failed")
