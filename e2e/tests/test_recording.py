"""The terminal session of the README, as it is recorded: typed on the lab, and true."""

import os
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from e2e.recording.film import draw
from e2e.recording.session import Session
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP, PRIMARY

pytestmark = pytest.mark.timeout(240)

ROWS = 27
LARGEST = 200_000
"""Bytes: a picture that the README loads."""
CAPTION = (
    "Recorded on the lab: a real control plane, played servers and guests, which boot in seconds. Waiting is cut out."
)


async def test_the_session_of_the_readme_can_be_recorded(site: Site, tmp_path: Path) -> None:
    """Two VMs, a power supply that fails, a server that dies; AVANCE_RECORDING says where to put the film."""
    await site.raise_migration_limits()
    await site.running_vms("till", "cameras")
    await site.whole()
    session = Session(site.lab.control_plane.kubeconfig)
    assert "Nothing is under way." in await session.avance("status", "two servers look like one; two VMs run on node-a")

    session.happened(f"e2e/bin/lab fail {PRIMARY} PowerSupply PSU2", "one of its two power supplies fails")
    await site.lab.fail(PRIMARY, "PowerSupply", "PSU2", part="750W-PT", serial="PS7731")
    await site.vms_run_on(BACKUP, "till", "cameras")
    await site.settled()
    assert "Degraded" in await session.avance("status", "both VMs were moved while they ran, nobody noticed")
    assert f"{BACKUP} scores 100" in await session.avance("explain default/till", "why?")

    session.happened(f"e2e/bin/lab repair {PRIMARY} PowerSupply PSU2", "somebody swaps the part")
    await site.lab.repair(PRIMARY, "PowerSupply", "PSU2")
    await site.whole()

    session.happened(f"e2e/bin/lab power-cut {BACKUP}", "the other server dies, with both VMs")
    cut = time.time()
    await site.lab.power_cut(BACKUP)
    await site.action("Fence", BACKUP)
    await site.vms_run_on(PRIMARY, "till", "cameras", within=60)
    await session.avance("status", "it was proven off, and both VMs have booted on the one that is left")
    log = await session.avance(f"log --node {BACKUP} --since {round(time.time() - cut) + 3}s", "what was done, and why")
    assert "ServerCrash" in log
    await site.action("Rejoin", BACKUP, within=60)
    await site.whole()
    await session.avance("status", "the server is back: redundant again, and nobody did anything")
    assert "ServerCrash" in await session.avance(
        "report --cost-per-hour 1000", "what did it cost? The pair has only just begun"
    )

    film = draw("avance: two ordinary servers that look like one that does not fail", CAPTION, session.scenes, ROWS)
    ElementTree.fromstring(film)
    assert len(film.encode()) < LARGEST
    target = Path(os.environ.get("AVANCE_RECORDING", tmp_path / "session.svg"))
    target.write_text(film)
