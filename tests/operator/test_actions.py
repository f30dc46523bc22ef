"""An AvanceAction as it is written, step by step, and as the rules read it back."""

import re
from dataclasses import replace
from typing import Any

import pytest

from avance.core.channels import MessageKind, MessageSeverity, Notification, SparePart
from avance.core.intents import Intent, incident_id
from avance.core.model import ActionPhase, ActionType, ActionView, FenceEvidence
from avance.core.progress import Progress, act, fail, succeed, wait
from avance.kube.resources import AVANCE_ACTIONS
from avance.operator.actions import ActionLog, intent_object, status_after
from avance.operator.clock import to_api
from avance.operator.store import Store
from tests.operator.objects import START, HandClock

Object = dict[str, Any]

INTENT = Intent(
    "fence-node-a-1", ActionType.FENCE, "node-a", "ServerCrash", "node-a is held to be dead", "crash-node-a-1"
)
MOVE = Intent(
    "migrate-web-1", ActionType.MIGRATE, "shop/web", "BackupHealthier", "a fan failed", "fan-1", "node-b", "uid-1"
)
EVIDENCE = FenceEvidence("node-a", "https://bmc", "uuid-a", "boot-1", "beat", START + 4.25, "read twice as Off")


def written(intent: Intent = INTENT) -> Object:
    """As the API server returns it."""
    body = intent_object("site", "uid-site", intent, "system:serviceaccount:avance-system:avance")
    more = {"uid": f"uid-{intent.name}", "resourceVersion": "1", "creationTimestamp": to_api(START)}
    return {**body, "metadata": {**body["metadata"], **more}}


def read(obj: Object) -> ActionView:
    store = Store(HandClock())
    store.put(AVANCE_ACTIONS, obj)
    [view] = ActionLog(store).of_pair("site")
    return view


def after(obj: Object, progress: Progress, seconds: float) -> Object:
    return {**obj, "status": status_after(obj, read(obj), progress, START + seconds)}


def steps(obj: Object) -> list[tuple[str, str, str | None]]:
    return [(step["name"], step["startedAt"], step.get("finishedAt")) for step in obj["status"]["steps"]]


@pytest.mark.parametrize("intent", [INTENT, MOVE], ids=["node", "vm"])
def test_an_intent_is_read_back_as_it_was_meant(intent: Intent) -> None:
    view = read(written(intent))
    meant = (intent.name, intent.type, intent.target, intent.incident, intent.reason, intent.message)
    assert (view.name, view.type, view.target, view.incident, view.reason, view.message) == meant
    assert (view.destination, view.instance_uid) == (intent.destination, intent.instance_uid)
    assert (view.phase, view.created_at, view.steps) == (ActionPhase.PENDING, START, ())


def test_a_message_is_read_back_with_its_parts() -> None:
    part = SparePart("node-a", "fan FAN1", "FAN1", "Fan", "fan-1", "F-1", "S-1", "Benign", "FanProblem", "stopped",
                     ((START, START + 5), (START + 9, None)), 2, 9.0)  # fmt: skip
    told = Notification("mail", MessageKind.CALL_HOME, MessageSeverity.WARNING, "s", "t", ("fan-1/callhome",), (part,))
    intent = Intent("notify-mail-1", ActionType.NOTIFY, "site", "CallHome", "s", "fan-1", notification=told)
    assert read(written(intent)).notification == told
    endless = replace(told, parts=(replace(part, serial="9" * 1000),))
    back = read(written(replace(intent, notification=endless))).notification
    assert back is not None
    assert back.parts[0].serial == "9" * 253


def test_an_intent_says_who_and_goes_with_its_pair() -> None:
    body = written()
    assert body["spec"]["requestedBy"] == "system:serviceaccount:avance-system:avance"
    assert body["spec"]["target"] == {"kind": "Node", "name": "node-a"}
    [owner] = body["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("AvancePair", "uid-site")
    assert written(MOVE)["spec"]["target"] == {"kind": "ProtectedVM", "name": "web", "namespace": "shop"}


@pytest.mark.parametrize("where", ["node-a", "n" * 253, "a.dotted.name", "x" * 50 + "." + "y" * 80])
def test_the_label_of_an_incident_is_valid_however_long_the_names_are(where: str) -> None:
    incident = incident_id("power-supply", where, "PSU2", START)
    label = written(replace(INTENT, incident=incident))["metadata"]["labels"]["avance.dev/incident"]
    assert re.fullmatch("[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", label)


def test_steps_follow_each_other_in_time() -> None:
    obj = after(written(), act("Close", "closing node-a"), 1)
    obj = after(obj, act("PowerOff", "cutting its power"), 3)
    assert obj["status"]["phase"] == "Running"
    assert obj["status"]["startedAt"] == to_api(START + 1)
    assert obj["status"]["step"] == "PowerOff"
    assert steps(obj) == [
        ("Close", to_api(START + 1), to_api(START + 3)),
        ("PowerOff", to_api(START + 3), None),
    ]


def test_to_say_the_same_again_is_no_news() -> None:
    obj = after(written(), wait("PowerOff", "asking the BMC"), 1)
    assert after(obj, wait("PowerOff", "asking the BMC"), 9) == obj


def test_a_new_message_is_news_but_the_step_keeps_its_time() -> None:
    obj = after(after(written(), wait("PowerOff", "asking"), 1), wait("PowerOff", "it reads On"), 9)
    [step] = obj["status"]["steps"]
    assert (step["message"], step["startedAt"]) == ("it reads On", to_api(START + 1))


def test_a_step_that_is_entered_again_is_there_once_and_last() -> None:
    obj = written()
    for seconds, name in enumerate(("PowerOff", "ConfirmOff", "PowerOff"), 1):
        obj = after(obj, wait(name, name), seconds)
    assert steps(obj) == [
        ("ConfirmOff", to_api(START + 2), to_api(START + 3)),
        ("PowerOff", to_api(START + 3), None),
    ]
    assert read(obj).started("PowerOff") == START + 3


def test_a_step_that_is_entered_again_starts_to_count_anew() -> None:
    obj = after(written(), wait("PowerOff", "refused"), 1)
    obj["status"]["steps"][0]["attempts"] = 4
    obj = after(after(obj, wait("ConfirmOff", ""), 2), wait("PowerOff", ""), 3)
    assert read(obj).step == read(obj).steps[-1]
    assert read(obj).steps[-1].attempts == 0


def test_failed_tries_of_a_step_survive_its_next_message() -> None:
    obj = after(written(), wait("PowerOff", "refused"), 1)
    obj["status"]["steps"][0]["attempts"] = 4
    assert read(after(obj, wait("PowerOff", "again"), 2)).steps[0].attempts == 4


@pytest.mark.parametrize(("end", "phase"), [(succeed, "Succeeded"), (fail, "Failed")])
def test_an_end_is_written_once_with_its_time_and_result(end: Any, phase: str) -> None:
    obj = after(after(written(), wait("Release", "waiting"), 1), end("Release", "it is off"), 5)
    status = obj["status"]
    assert (status["phase"], status["finishedAt"], status["result"]) == (phase, to_api(START + 5), "it is off")
    assert status["steps"][-1]["finishedAt"] == to_api(START + 5)
    assert not read(obj).open


def test_evidence_is_read_back_exactly_as_it_was_recorded() -> None:
    """Two readers must agree that it is the same evidence: a licence hangs on the comparison."""
    obj = after(written(), Progress("Release", "node-a is proven off", evidence=EVIDENCE), 5)
    assert read(obj).evidence == EVIDENCE
    assert read(after(obj, wait("Release", "giving up what it held"), 6)).evidence == EVIDENCE


def test_what_was_settled_when_it_was_taken_up_is_recorded() -> None:
    request = written(replace(MOVE, destination="", instance_uid=""))
    taken = replace(read(request), destination="node-b", instance_uid="uid-7")
    status = status_after(request, taken, wait("Move", "moving"), START)
    view = read({**request, "status": status})
    assert (view.destination, view.instance_uid) == ("node-b", "uid-7")


def test_actions_are_read_oldest_first() -> None:
    store = Store(HandClock())
    for number, created in enumerate((START + 2, START, START + 1)):
        obj = written(replace(INTENT, name=f"fence-{number}"))
        metadata = obj["metadata"] | {"creationTimestamp": to_api(created)}
        store.put(AVANCE_ACTIONS, {**obj, "metadata": metadata})
    assert [view.name for view in ActionLog(store).of_pair("site")] == ["fence-1", "fence-2", "fence-0"]


def test_what_is_known_of_a_part_is_read_back_from_its_call_home() -> None:
    obj = written(replace(MOVE, type=ActionType.CALL_HOME, target="node-a", name="call"))
    done = replace(succeed("Report", "send a fan"), report=(("part", "F-1"), ("detail", "x" * 5000)))
    status = status_after(obj, read(obj), done, START)
    assert len(status["report"]["detail"]) == 1024
    assert dict(read({**obj, "status": status}).report)["part"] == "F-1"
