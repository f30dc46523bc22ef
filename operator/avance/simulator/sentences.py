"""A small language of sentences: patterns with named gaps, each with the function that it stands for.

`{node}` and `{vm}` stand for names of the scenario, `{number}` for a figure, `{words}` for anything.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

GAPS = {
    "node": r"(?P<node>[\w-]+)",
    "vm": r"(?P<vm>[\w-]+)",
    "other": r"(?P<other>[\w-]+)",
    "type": r"(?P<type>[A-Z]\w+)",
    "number": r"(?P<number>no|\d+(?:\.\d+)?)",
    "words": r"(?P<words>.+)",
}

Meaning = TypeVar("Meaning", bound=Callable[..., object])


class NotUnderstood(ValueError):
    """A sentence that is not in the language; says which one is closest."""


@dataclass
class Language(Generic[Meaning]):
    """The sentences of one kind; those with fewer gaps are tried first."""

    what: str
    _sentences: list[tuple[str, re.Pattern[str], Meaning]] = field(default_factory=list)

    def says(self, *patterns: str) -> Callable[[Meaning], Meaning]:
        """Decorator: these sentences have the decorated function as their meaning."""

        def add(meaning: Meaning) -> Meaning:
            self._sentences += [(pattern, _compile(pattern), meaning) for pattern in patterns]
            self._sentences.sort(key=lambda sentence: sentence[0].count("{"))  # `every VM runs` before `{vm} runs`
            return meaning

        return add

    def understand(self, text: str) -> tuple[Meaning, dict[str, str]]:
        """The meaning of a sentence and what stands in its gaps. Raises NotUnderstood."""
        sentence = " ".join(text.split()).rstrip(".")
        for _, pattern, meaning in self._sentences:
            match = pattern.fullmatch(sentence)
            if match:
                return meaning, {name: value for name, value in match.groupdict().items() if value is not None}
        close = difflib.get_close_matches(sentence, self.patterns, n=1, cutoff=0.0)
        raise NotUnderstood(
            f"'{sentence}' is no {self.what}; the closest is '{close[0]}' (docs/scenarios.md has them all)"
        )

    @property
    def patterns(self) -> list[str]:
        return [pattern for pattern, _, _ in self._sentences]


def _compile(pattern: str) -> re.Pattern[str]:
    """Gaps become groups, `[optional words]` and `a|b` in parentheses stay what they look like."""
    text = re.sub(r" \[(.+?)\]", r"(?: \1)?", pattern)
    return re.compile(re.sub(r"\{(\w+)\}", lambda gap: GAPS[gap.group(1)], text))
