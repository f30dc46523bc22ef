"""What docs/notifications.md lets a user write fits the API."""

import re
from pathlib import Path

import yaml

from avance.api.action import ActionSpec
from avance.api.notifications import Notifications
from avance.core.message_template import FIELDS

DOCS = Path(__file__).parents[2] / "docs" / "notifications.md"


def test_the_documented_objects_fit_the_models() -> None:
    pair, test = (yaml.safe_load(part.split("```")[0]) for part in DOCS.read_text().split("```yaml\n")[1:])
    channels = Notifications.parse(pair["spec"]["notifications"]).channels
    assert [
        (channel.name, bool(channel.email), bool(channel.webhook), bool(channel.apprise)) for channel in channels
    ] == [
        ("mail", True, False, False),
        ("desk", False, True, False),
        ("chat", False, False, True),
    ]
    asked = ActionSpec.parse(test["spec"])
    assert (asked.type, asked.target.kind, asked.notification and asked.notification.channel) == (
        "Notify",
        "AvancePair",
        "mail",
    )


def test_every_field_of_a_template_is_documented_as_it_is() -> None:
    told = dict(re.findall(r"^\| `\$\{(\w+)\}` \| (.*) \|$", DOCS.read_text(), re.MULTILINE))
    assert told == dict(FIELDS)
