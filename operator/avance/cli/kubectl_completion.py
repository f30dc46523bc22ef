"""`kubectl_complete-avance`: what kubectl runs when somebody presses Tab after `kubectl avance`.

kubectl hands over the words typed so far, the last one unfinished and maybe empty, and reads a candidate a line, its
description after a tab, and at last `:` with a number that says whether files are offered too (cobra's protocol).
"""

from __future__ import annotations

import argparse
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence

from avance.cli.command_line import parser

FILES_TOO, NO_FILES = 0, 4


def main() -> int:
    """The entry point."""
    sys.stdout.writelines(f"{line}\n" for line in answer(parser(), sys.argv[1:]))
    return 0


def answer(whole: ArgumentParser, words: Sequence[str]) -> Iterator[str]:
    """The lines for kubectl."""
    *typed, begun = words or [""]
    command, before = _typed(whole, typed)
    option = _option(command, before)
    if option is not None and option.nargs != 0:
        found = {str(choice): "" for choice in option.choices or ()}
        files = not found
    else:
        found, files = dict(_offered(command, begun)), False
    for word, about in found.items():
        if word.startswith(begun):
            yield f"{word}\t{about}" if about else word
    yield f":{FILES_TOO if files else NO_FILES}"


def _typed(command: ArgumentParser, words: Sequence[str]) -> tuple[ArgumentParser, str]:
    """The command that the words name, and the last of them."""
    for word in words:
        below = _below(command)
        command = below.choices.get(word, command) if below else command
    return command, words[-1] if words else ""


def _below(command: ArgumentParser) -> argparse._SubParsersAction[ArgumentParser] | None:
    return next((action for action in command._actions if isinstance(action, argparse._SubParsersAction)), None)


def _option(command: ArgumentParser, word: str) -> argparse.Action | None:
    return next((action for action in command._actions if word in action.option_strings), None)


def _offered(command: ArgumentParser, begun: str) -> Iterator[tuple[str, str]]:
    """Commands below this one and values of its arguments; options once somebody has begun one."""
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from ((one.dest, one.help or "") for one in action._choices_actions)
        elif not action.option_strings:
            yield from ((str(choice), "") for choice in action.choices or ())
        elif begun.startswith("-"):
            yield from ((option, action.help or "") for option in action.option_strings if option.startswith("--"))
