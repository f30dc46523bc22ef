"""KubeVirt's migration settings: read, kept from post-copy, and raised only where that was asked for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from avance.core.migration_settings import MigrationSettings
from avance.operator.migration_settings import MigrationSettingsWatch, migration_policy, settings_of
from avance.operator.policy import policy_of
from tests.kubevirt.recorder import Recorder, recording
from tests.operator.objects import PAIR, World

Object = dict[str, Any]
KUBEVIRTS = "GET /apis/kubevirt.io/v1/kubevirts"
POLICIES = "GET /apis/migrations.kubevirt.io/v1alpha1/migrationpolicies"
POLICY = f"PATCH /apis/migrations.kubevirt.io/v1alpha1/migrationpolicies/avance-{PAIR}"
RAISED = "PATCH /apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts/kubevirt"
WISH = {"applyRecommendedSettings": True}


def kubevirt(**migrations: Any) -> Object:
    metadata = {"name": "kubevirt", "namespace": "kubevirt", "resourceVersion": "1"}
    return {"metadata": metadata, "spec": {"configuration": {"migrations": migrations}}}


def listed(*items: Object) -> tuple[int, Object]:
    return 200, {"metadata": {"resourceVersion": "1"}, "items": list(items)}


@asynccontextmanager
async def guard() -> AsyncIterator[None]:
    yield


async def look(found: Object, *policies: Object, **spec: Any) -> tuple[Recorder, MigrationSettings | None, list[str]]:
    world, woken = World(), list[str]()
    world.quiet_pair(**spec)
    wide = kubevirt(parallelMigrationsPerCluster=8, parallelOutboundMigrationsPerNode=8)
    answers = {KUBEVIRTS: listed(found), POLICIES: listed(*policies), POLICY: (200, {}), RAISED: (200, wide)}
    async with recording(answers) as (recorder, kube):
        watch = MigrationSettingsWatch(
            kube,
            world.store,
            world.clock,
            lambda pair: policy_of(world.observer.pair(pair).spec),
            guard,
            woken.append,
        )
        await watch.look()
        return recorder, watch.of_pair(PAIR), woken


def writes(recorder: Recorder) -> list[str]:
    return [what for what, _ in recorder.sent if not what.startswith("GET")]


async def test_the_pair_gets_a_policy_against_post_copy_and_knows_the_settings() -> None:
    recorder, known, woken = await look(kubevirt(allowPostCopy=True, bandwidthPerMigration="64Mi"))
    assert writes(recorder) == [POLICY]
    assert recorder.sent[-1][1]["spec"] == {
        "allowPostCopy": False,
        "selectors": {"virtualMachineInstanceSelector": {"avance.dev/pair": PAIR}},
    }
    assert known == MigrationSettings(bandwidth=64 * 1024**2, post_copy=True, post_copy_forbidden=True)
    assert woken == [PAIR]


async def test_a_policy_that_is_in_place_is_left_alone() -> None:
    held = migration_policy({"metadata": {"name": PAIR, "uid": "x"}})
    recorder, known, _ = await look(kubevirt(), held)
    assert not writes(recorder)
    assert known == MigrationSettings(post_copy_forbidden=True)


async def test_the_limits_are_raised_where_the_spec_asks_for_it() -> None:
    recorder, known, _ = await look(kubevirt(parallelMigrationsPerCluster=20), migration=WISH)
    assert writes(recorder) == [POLICY, RAISED]
    limits = {"parallelMigrationsPerCluster": 20, "parallelOutboundMigrationsPerNode": 8}
    assert recorder.sent[-1][1]["spec"]["configuration"]["migrations"] == limits
    assert known is not None
    assert known.from_node == 8


@pytest.mark.parametrize(
    "spec", [{"mode": "Observe"}, {"pause": {"until": "2100-01-01T00:00:00Z", "reason": "by hand"}}]
)
async def test_observe_and_a_pause_change_nothing(spec: Object) -> None:
    recorder, known, _ = await look(kubevirt(allowPostCopy=True), migration=WISH, **spec)
    assert not writes(recorder)
    assert known == MigrationSettings(post_copy=True)


def test_what_kubevirt_leaves_out_has_its_default() -> None:
    assert settings_of({"metadata": {}}, held=False) == MigrationSettings()
    every = {
        "parallelMigrationsPerCluster": 9,
        "parallelOutboundMigrationsPerNode": 7,
        "bandwidthPerMigration": "0",
        "completionTimeoutPerGiB": 800,
        "progressTimeout": 200,
        "allowPostCopy": False,
        "network": "migration",
    }
    assert settings_of(kubevirt(**every), held=True) == MigrationSettings(9, 7, 0, 800, 200, False, "migration", True)
