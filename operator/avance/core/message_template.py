"""A channel's own wording: `${field}` stands for what is known of a message, `$$` for a dollar sign.

The API refuses fields that there are not. What is not known of a message (the part, where none has failed) is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

FIELDS: Mapping[str, str] = {
    "pair": "name of the pair",
    "kind": "CallHome, Failover, PersonNeeded, Recovered or Test",
    "severity": "Info, Warning or Critical",
    "time": "when it was written, UTC",
    "headline": "the gravest of what happened, in one line",
    "more": "how much else is told by the same message: 0, 1, …",
    "target": "the server, or the namespace/name of the VM, that the headline is about",
    "node": "the server of the failed part",
    "component": "the failed part as avance calls it: power supply PSU2",
    "part": "its part number",
    "serial": "its serial number",
    "faults": "how many of its faults are on record",
    "mtbf": "the mean time between them in hours",
    "subject": "the subject as avance writes it",
    "text": "the text as avance writes it",
}
"""What a template may name, and what stands there then."""


def filled(template: str, values: Mapping[str, object]) -> str:
    """The template with every field in its place."""
    texts = dict.fromkeys(FIELDS, "") | {field: str(value) for field, value in values.items()}
    return Template(template).safe_substitute(texts)
