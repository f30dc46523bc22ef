"""What people do about a rolling upgrade, each as a sentence, and what they can expect of it."""

from __future__ import annotations

from avance.core.model import ActionType
from avance.core.upgrade_request import UpgradeWord
from avance.simulator.events import EVENTS
from avance.simulator.expectations import EXPECTATIONS
from avance.simulator.simulation import Simulation

ORDERS = {
    "pauses": ActionType.PAUSE_UPGRADE,
    "resumes": ActionType.RESUME_UPGRADE,
    "aborts": ActionType.ABORT_UPGRADE,
}


@EVENTS.says("somebody starts a rolling upgrade")
def start(sim: Simulation) -> None:
    sim.records.ask_of_pair(ActionType.ROLLING_UPGRADE, sim.now)
    sim.api.version += 1


@EVENTS.says(
    "somebody starts a rolling upgrade until the kubelet is (?P<version>\\S+)",
    words="somebody starts a rolling upgrade until the kubelet is VERSION",
)
def start_until(sim: Simulation, version: str) -> None:
    word = UpgradeWord((("kubeletVersion", "*" if version == "another" else version),))
    sim.records.ask_of_pair(ActionType.ROLLING_UPGRADE, sim.now, word)
    sim.api.version += 1


@EVENTS.says("somebody (?P<how>pauses|resumes|aborts) the upgrade")
def order(sim: Simulation, how: str) -> None:
    sim.records.ask_of_pair(ORDERS[how], sim.now)
    sim.api.version += 1


@EVENTS.says("the kubelet of {node} becomes (?P<version>\\S+)", words="the kubelet of NODE becomes VERSION")
def new_kubelet(sim: Simulation, node: str, version: str) -> None:
    sim.api.change(sim.api.nodes, node, kubelet_version=version)


@EXPECTATIONS.says('the upgrade says "{words}"')
def upgrade_says(sim: Simulation, words: str) -> bool:
    found = [action for action in sim.records.all() if action.type is ActionType.ROLLING_UPGRADE]
    return bool(found) and found[-1].step is not None and words in found[-1].step.message
