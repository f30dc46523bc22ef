"""What docs/notifications.md lets a user write fits the API."""

from pathlib import Path

import yaml

from avance.api.action import ActionSpec
from avance.api.notifications import Notifications

DOCS = Path(__file__).parents[2] / "docs" / "notifications.md"


def test_the_documented_objects_fit_the_models() -> None:
    pair, test = (yaml.safe_load(part.split("```")[0]) for part in DOCS.read_text().split("```yaml\n")[1:])
    channels = Notifications.parse(pair["spec"]["notifications"]).channels
    assert [(channel.name, bool(channel.email), bool(channel.webhook)) for channel in channels] == [
        ("mail", True, False),
        ("desk", False, True),
    ]
    asked = ActionSpec.parse(test["spec"])
    assert (asked.type, asked.target.kind, asked.notification and asked.notification.channel) == (
        "Notify",
        "AvancePair",
        "mail",
    )
