"""A recorded terminal session as a picture: everything that was printed is in it, and every scene has its time."""

import re
from xml.etree import ElementTree

from e2e.recording.film import draw
from e2e.recording.session import COLUMNS, Scene

SVG = "{http://www.w3.org/2000/svg}"


def shown(film: str, scene: int) -> list[str]:
    found = ElementTree.fromstring(film).find(f"{SVG}g[@class='s{scene}']")
    assert found is not None
    return ["".join(text.itertext()) for text in found]


def test_what_was_printed_is_shown_with_its_colours_and_broken_as_a_terminal_does() -> None:
    long = "x" * (COLUMNS + 3)
    film = draw("t", "c", [Scene(2.4, "why <not>", "avance status", f"\x1b[32myes\x1b[0m & no\n\n{long}\n")], rows=9)
    assert shown(film, 0) == ["# 2 s: why <not>", "$ avance status", "yes & no", "x" * COLUMNS, "xxx"]
    assert re.search(r'<tspan fill="#\w+">yes</tspan>', film)


def test_what_does_not_fit_is_said_to_be_left_out() -> None:
    film = draw("t", "c", [Scene(0, "", "avance log", "\n".join("abcdef"))], rows=3)
    assert shown(film, 0)[2:] == ["a", "b", "… and 4 lines more"]


def test_scenes_follow_each_other_and_the_first_one_is_there_without_animations() -> None:
    scenes = [Scene(at, "", f"command {at}", "") for at in range(3)]
    film = draw("t", "c", scenes, rows=3)
    assert re.findall(r"\.s(\d)\{opacity:(\d)", film) == [("0", "1"), ("1", "0"), ("2", "0")]
    ends = re.findall(r"@keyframes k\d\{(.*?)\}(?=\.|<)", film)
    assert [re.findall(r"([\d.]+)%\{opacity:1\}", each) for each in ends] == [["0.00"], ["33.33"], ["66.67"]]
