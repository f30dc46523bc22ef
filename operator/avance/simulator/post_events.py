"""What can happen to the channels by which people are told, and what a scenario can expect of them."""

from __future__ import annotations

from avance.simulator.events import EVENTS
from avance.simulator.expectations import EXPECTATIONS
from avance.simulator.post_office import ChannelMode
from avance.simulator.simulation import Simulation

_CHANNEL = r"(?P<channel>[\w-]+)"


@EVENTS.says(f"channel {_CHANNEL} (?P<mode>accepts|refuses|hangs)", words="channel CHANNEL accepts|refuses|hangs")
def channel_mode(sim: Simulation, channel: str, mode: str) -> None:
    sim.post_office.modes[channel] = ChannelMode(mode)


@EVENTS.says(f"somebody asks for a test of channel {_CHANNEL}", words="somebody asks for a test of channel CHANNEL")
def ask_for_a_test(sim: Simulation, channel: str) -> None:
    sim.records.ask_for_a_test("pair", channel, sim.now)


@EXPECTATIONS.says(
    rf"{_CHANNEL} got {{number}} messages?(?: (?P<repeats>repeats included))?",
    words="CHANNEL got NUMBER messages [repeats included]",
)
def got(sim: Simulation, channel: str, number: str, repeats: str = "") -> bool:
    """Those with one identifier are one message, unless repeats count."""
    arrived = [letter.id for letter in sim.post_office.arrived if letter.channel == channel]
    return len(arrived if repeats else set(arrived)) == (0 if number == "no" else float(number))


@EXPECTATIONS.says(rf"{_CHANNEL} got at most {{number}} messages", words="CHANNEL got at most NUMBER messages")
def got_at_most(sim: Simulation, channel: str, number: str) -> bool:
    return len({letter.id for letter in sim.post_office.arrived if letter.channel == channel}) <= float(number)


@EXPECTATIONS.says(rf'{_CHANNEL} was (?P<no>never )?told "{{words}}"', words='CHANNEL was [never] told "WORDS"')
def was_told(sim: Simulation, channel: str, words: str, no: str = "") -> bool:
    """In the subject or the text of a message."""
    letters = (letter for letter in sim.post_office.arrived if letter.channel == channel)
    return any(words in f"{letter.subject}\n{letter.text}" for letter in letters) is not bool(no)


@EXPECTATIONS.says(rf'the last subject of {_CHANNEL} is "{{words}}"', words='the last subject of CHANNEL is "WORDS"')
def last_subject(sim: Simulation, channel: str, words: str) -> bool:
    subjects = [letter.subject for letter in sim.post_office.arrived if letter.channel == channel]
    return subjects[-1:] == [words]
