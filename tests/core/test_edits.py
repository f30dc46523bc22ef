"""Edits of specs: each is told once, whatever the pair's mode, and no storm of them floods the log."""

from dataclasses import replace

import pytest

from avance.core.edits import Edit, EditKind, SpecRecord
from avance.core.intents import Intent, LookAgain, record_of_edit
from avance.core.model import ActionType, ActionView, PairView
from avance.core.plan import plan
from avance.core.policy import Mode, PairPolicy, Pause
from avance.core.rules.edit import AT_MOST, MESSAGE_LENGTH, message, record_edits
from tests.core.views import NOW, action, pair

VM = "default/web"


def edit(generation: int = 2, since: int = 1, kind: EditKind = EditKind.CHANGED, **fields: object) -> Edit:
    given = {"changes": ("cores from 2 to 4",), "editor": "ann", **fields}
    return Edit(kind, SpecRecord(VM, "uid-web", generation, "{}"), since, **given)  # type: ignore[arg-type]


def seen(*edits: Edit, actions: tuple[ActionView, ...] = ()) -> PairView:
    return replace(pair(actions=actions), edits=edits)


def records(count: int, every: float) -> tuple[ActionView, ...]:
    """Edits on record, the last one just now."""
    made = [action(ActionType.EDIT, VM, created_at=NOW - every * number) for number in range(count)]
    return tuple(replace(one, name=f"edit-{number}") for number, one in enumerate(reversed(made)))


@pytest.mark.parametrize("policy", [
    PairPolicy(), PairPolicy(mode=Mode.OBSERVE), PairPolicy(pause=Pause(NOW + 60, "works"))
])  # fmt: skip
def test_an_edit_goes_on_record_and_its_record_ends_at_once_in_every_mode(policy: PairPolicy) -> None:
    view = replace(seen(edit()), policy=policy)
    (intent,) = plan(view, NOW).intents
    assert (intent.type, intent.target, intent.reason, intent.done_by) == (ActionType.EDIT, VM, "Changed", "ann")
    open_one = replace(action(ActionType.EDIT, VM, message=intent.message), name=intent.name)
    open_one = replace(open_one, phase=type(open_one.phase)("Pending"))
    decided = plan(replace(view, actions=(open_one,)), NOW)
    assert not decided.intents, "once"
    ((_, progress),) = decided.progress
    assert (progress.outcome, progress.message) == ("Succeeded", "cores from 2 to 4")


def test_even_a_pair_that_is_none_has_a_log() -> None:
    (intent,) = plan(replace(seen(edit()), nodes=()), NOW).intents
    assert intent.type is ActionType.EDIT


def test_each_generation_and_each_object_has_a_record_of_its_own() -> None:
    view = seen()
    named = [
        record_of_edit(view, each, "").name
        for each in (edit(2), edit(3), edit(3, kind=EditKind.DELETED), edit(4, kind=EditKind.DELETED))
    ]
    assert named[2] == named[3], "an object is deleted once"
    assert len(set(named)) == 3


def due(count: int, every: float) -> float | None:
    """When the next record is written; None: now."""
    (answer,) = record_edits(seen(edit(), actions=records(count, every)), NOW)
    return answer.at if isinstance(answer, LookAgain) else None


def test_a_storm_is_told_in_pieces() -> None:
    (hour, in_an_hour), (day, in_a_day) = AT_MOST
    assert due(in_an_hour - 1, 1.0) is None
    assert due(in_an_hour, 1.0) == NOW - (in_an_hour - 1) + hour
    assert due(in_a_day - 1, hour) is None
    assert due(in_a_day, 1800.0) == NOW - (in_a_day - 1) * 1800.0 + day


def test_what_was_done_is_told_in_words() -> None:
    assert message(edit(kind=EditKind.CREATED, generation=1, since=0)) == f"{VM} was created"
    assert message(edit(kind=EditKind.DELETED)).startswith(f"{VM} was deleted")
    assert message(edit(5, 1, earlier=("bob", "eve", "joe"))) == (
        "cores from 2 to 4; 4 edits in all; before that by bob, eve and joe"
    )
    assert message(edit(3, 1, changes=())) == f"{VM} was edited, and is as it was; 2 edits in all"
    assert message(edit(editor="", hint="by whom is not noted")) == "cores from 2 to 4; by whom is not noted"


def test_as_many_changes_are_named_as_fit() -> None:
    words = message(edit(changes=tuple(f"template.field{number} from 1 to 2" for number in range(100))))
    assert len(words) <= MESSAGE_LENGTH
    told, more = words.count("template.field"), int(words.rpartition("and ")[2].split()[0])
    assert told + more == 100


def test_the_operator_asks_for_all_else_itself() -> None:
    assert Intent("n", ActionType.START, VM, "r", "m", "i").done_by is None
