"""Could all VMs move at once? What to change in KubeVirt is said in words."""

from dataclasses import replace

import pytest

from avance.core.migration_settings import MigrationSettings, recommended
from avance.core.model import PairView
from avance.core.preflight import migrations_ready
from avance.core.surroundings import Surroundings
from tests.core.views import pair, running

EIGHT = tuple(running(f"vm-{number}") for number in range(8))
WIDE = MigrationSettings(in_cluster=8, from_node=8)


def seen(found: MigrationSettings | None, vms: int = 8) -> PairView:
    return replace(pair(vms=EIGHT[:vms]), surroundings=Surroundings(migrations=found))


def test_what_was_not_read_is_not_known() -> None:
    assert migrations_ready(seen(None)).holds is None


def test_kubevirt_s_defaults_do_for_two_vms_and_not_for_eight() -> None:
    assert migrations_ready(seen(MigrationSettings(), vms=2)).holds is True
    told = migrations_ready(seen(MigrationSettings()))
    assert told.holds is False
    assert told.message == (
        "2 of 8 VMs leave a node at a time: set parallelOutboundMigrationsPerNode to 8; 5 of 8 VMs move at a time: "
        "set parallelMigrationsPerCluster to 8; change it in spec.configuration.migrations of the KubeVirt object"
    )


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (replace(WIDE, bandwidth=1024**2), "raise bandwidthPerMigration"),
        (replace(WIDE, completion_seconds_per_gib=5), "set completionTimeoutPerGiB"),
        (replace(WIDE, progress_seconds=5), "set progressTimeout"),
        (replace(WIDE, post_copy=True), "set allowPostCopy to false"),
    ],
)
def test_each_setting_that_hinders_is_named(found: MigrationSettings, word: str) -> None:
    told = migrations_ready(seen(found))
    assert (told.holds, word in told.message) == (False, True)


def test_the_pair_s_own_policy_keeps_post_copy_away() -> None:
    told = migrations_ready(seen(replace(WIDE, post_copy=True, post_copy_forbidden=True, network="migration")))
    assert told.holds is True
    assert told.message.endswith("over the network migration")


def test_the_recommendation_raises_and_never_lowers() -> None:
    aim = recommended(MigrationSettings(in_cluster=20, from_node=2), 8)
    assert (aim.in_cluster, aim.from_node) == (20, 8)
