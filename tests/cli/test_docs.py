"""docs/cli.md and action-log.md: what they show is what is printed, and what they tell people to type is understood."""

import re
import shlex
from pathlib import Path

import pytest

from avance.cli.command_line import parser
from avance.cli.explain import as_text as explained
from avance.cli.explain import explanation
from avance.cli.install_check import as_text as checked
from avance.cli.log import as_lines, chosen_actions
from avance.cli.picture import as_text, picture
from avance.cli.terminal import plain
from avance.core.installation import checks
from avance.operator.export import entry
from tests.cli.shop import AT, look, shop_site

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS, ON_THE_LOG = (
    re.findall(r"^```console\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    for page in ("cli.md", "action-log.md")
)
COMMANDS = [line[2:] for block in (*BLOCKS, *ON_THE_LOG) for line in block.splitlines() if line.startswith("$ ")]


def log() -> str:
    entries = [entry(each, "shop") for each in chosen_actions(look().view, "", "", None)]
    return "".join(f"{line}\n" for line in as_lines(entries, plain))


SAMPLES = {
    "avance install-check --pair shop": lambda: checked(list(checks(shop_site(), AT)), plain),
    "avance status": lambda: as_text(picture(look()), plain),
    "avance explain shop/web": lambda: explained(explanation(look(), "shop/web", 5), plain),
    "avance explain node-a": lambda: explained(explanation(look(), "node-a", 5), plain),
    "avance log": log,
}


@pytest.mark.parametrize("command", SAMPLES)
def test_what_is_shown_is_what_is_printed(command: str) -> None:
    shown = next(block for block in BLOCKS if block.startswith(f"$ {command}\n"))
    assert shown.removeprefix(f"$ {command}\n") == SAMPLES[command]()


def test_every_sample_with_output_is_compared() -> None:
    told = {
        block.splitlines()[0][2:] for block in BLOCKS if any(not line.startswith("$ ") for line in block.splitlines())
    }
    assert told == set(SAMPLES)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_to_be_typed_is_understood(command: str) -> None:
    words = shlex.split(re.split(" >>? ", command)[0], comments=True)
    if words[:2] == ["kubectl", "avance"]:
        words = words[1:]
    assert words[0] in ("avance", "kubectl", "source", "echo"), words
    if words[0] == "avance":
        parser().parse_args(words[1:])


def test_every_command_is_documented() -> None:
    text = (DOCS / "cli.md").read_text()
    known = next(action.choices for action in parser()._actions if action.dest == "command")
    assert known is not None
    for name in known:
        assert f"avance {name}" in text, name
