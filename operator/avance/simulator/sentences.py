"""A small language of sentences: patterns with named gaps, each with the function that it stands for.

A pattern is a regular expression in which `{node}`, `{vm}` and the like stand for the gaps below.
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
    "silent": r"(?P<silent>no|\d+)",
    "number": r"(?P<number>no|\d+(?:\.\d+)?)",
    "time": r"(?P<time>\d+(?:\.\d+)? (?:s|min))",
    "size": r"(?P<size>\d+Gi)",
    "words": r"(?P<words>.+)",
}

Meaning = TypeVar("Meaning", bound=Callable[..., object])


class NotUnderstood(ValueError):
    """A sentence that is not in the language; says which one is closest."""


@dataclass(frozen=True)
class Sentence(Generic[Meaning]):
    words: str
    """As it is documented."""
    pattern: re.Pattern[str]
    meaning: Meaning


@dataclass
class Language(Generic[Meaning]):
    """The sentences of one kind; those with fewer gaps are tried first."""

    what: str
    _sentences: list[Sentence[Meaning]] = field(default_factory=list)

    def says(self, *patterns: str, words: str = "") -> Callable[[Meaning], Meaning]:
        """Decorator: these sentences have the decorated function as their meaning.

        `words` is how people are told of it, where that cannot be read off the pattern.
        """

        def add(meaning: Meaning) -> Meaning:
            self._sentences += [Sentence(words or _words(each), _compile(each), meaning) for each in patterns]
            self._sentences.sort(key=lambda sentence: sentence.pattern.groups)  # `every VM runs` before `{vm} runs`
            return meaning

        return add

    def understand(self, text: str) -> tuple[Meaning, dict[str, str]]:
        """The meaning of a sentence and what stands in its gaps. Raises NotUnderstood."""
        said = " ".join(text.split()).rstrip(".")
        for sentence in self._sentences:
            match = sentence.pattern.fullmatch(said) or sentence.pattern.fullmatch(said[:1].lower() + said[1:])
            if match:
                return sentence.meaning, {gap: value for gap, value in match.groupdict().items() if value is not None}
        close = difflib.get_close_matches(said, self.words, n=1, cutoff=0.0)
        raise NotUnderstood(f"'{said}' is no {self.what}; the closest is '{close[0]}' (docs/scenarios.md has them all)")

    @property
    def words(self) -> list[str]:
        """Every sentence as it is documented."""
        return sorted({sentence.words for sentence in self._sentences})


def seconds(text: str) -> float:
    """`30 s`, `5 min` or `1 h`, as seconds; raises NotUnderstood."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?: ?(s|min|h))?", text.strip())
    if not match:
        raise NotUnderstood(f"'{text}' is no time: write 30 s or 5 min")
    return float(match.group(1)) * {"min": 60, "h": 3600}.get(match.group(2), 1)


def memory(text: str) -> int:
    """`4Gi` or `512Mi` in bytes; raises NotUnderstood."""
    if not re.fullmatch(r"\d+(?:\.\d+)?[GM]i", text):
        raise NotUnderstood(f"'{text}' is no amount of memory: write 4Gi")
    return int(float(text[:-2]) * 1024 ** (3 if text.endswith("Gi") else 2))


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", lambda gap: GAPS[gap.group(1)], pattern))


def _words(pattern: str) -> str:
    """`the kubelet of {node} (?P<how>stops|starts again)` reads `the kubelet of NODE stops|starts again`."""
    plain = re.sub(r"\(\?P<\w+>([^)]*)\)", r"\1", pattern)
    return re.sub(r"\{(\w+)\}", lambda gap: gap.group(1).upper(), plain)
