"""The plan as a whole: the same for the same view, one thing at a time, names that cannot be written twice."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from avance.core.fence_path import CLOSE_LOOK_SECONDS
from avance.core.intents import Intent
from avance.core.model import (
    ActionPhase,
    ActionType,
    ActionView,
    InstanceView,
    NodeView,
    PairView,
    VmPhase,
    VmView,
)
from avance.core.plan import plan
from tests.core.views import NOW, action, fault, launcher, node, pair, reads, running

times = st.floats(NOW - 200, NOW)


@st.composite
def nodes(draw: st.DrawFn, name: str) -> NodeView:
    """A server in any state."""
    faults = draw(st.lists(st.sampled_from(["FanProblem", "DiskProblem", "PrivateLinkProblem"]), max_size=2))
    return node(
        name,
        ready=draw(st.sampled_from(["True", "False", "Unknown", ""])),
        heard_at=draw(times),
        faults=tuple(fault(each, on=name) for each in faults),
        hears_peer=draw(st.sampled_from([True, False, None])),
        peer_unreachable_since=draw(st.none() | times),
        cordoned=draw(st.booleans()),
        closed=draw(st.booleans()),
        out_of_service=draw(st.booleans()),
        power=draw(st.none() | st.builds(reads, st.sampled_from(["On", "Off", "PoweringOff"]), st.just(name), times)),
    )


@st.composite
def virtual_machines(draw: st.DrawFn, name: str) -> VmView:
    """A VM whose instance, if there is one, is in any state."""
    on = draw(st.sampled_from(["node-a", "node-b"]))
    some_instance = st.builds(
        InstanceView,
        st.just(f"{name}-1"),
        st.sampled_from(VmPhase),
        st.sampled_from([on, ""]),
        st.booleans(),
        ended_at=st.none() | times,
        evacuate_from=st.sampled_from(["", "node-a"]),
    )
    return replace(running(name, on), instance=draw(st.none() | some_instance), should_run=draw(st.booleans()))


@st.composite
def views(draw: st.DrawFn) -> PairView:
    """Any state of a pair, sensible or not."""
    vms = tuple(draw(virtual_machines(name)) for name in ("db", "web"))
    pods = tuple(
        launcher(
            vm, on=draw(st.sampled_from(["node-a", "node-b", ""])), phase=draw(st.sampled_from(["Running", "Failed"]))
        )
        for vm in vms
        if draw(st.booleans())
    )
    actions = tuple(
        draw(
            st.builds(
                action,
                st.sampled_from(ActionType),
                st.sampled_from(["node-a", "default/db"]),
                st.sampled_from(ActionPhase),
                destination=st.sampled_from(["", "node-b"]),
                instance_uid=st.sampled_from(["", "db-1"]),
            ).map(_on_what_it_can_be_on)
        )
        for _ in range(draw(st.integers(0, 2)))
    )
    return pair(draw(nodes("node-a")), draw(nodes("node-b")), vms, pods, actions)


def _on_what_it_can_be_on(made: ActionView) -> ActionView:
    on_node = made.type in (ActionType.FENCE, ActionType.REJOIN, ActionType.CALL_HOME)
    return replace(made, target="node-a" if on_node else "default/db")


@settings(max_examples=60, deadline=None)
@given(views())
def test_the_same_view_gives_the_same_plan_and_no_view_breaks_it(view: PairView) -> None:
    assert plan(view, NOW) == plan(view, NOW)


@settings(max_examples=60, deadline=None)
@given(views())
def test_one_thing_at_a_time_is_done_to_a_node_or_vm(view: PairView) -> None:
    todo = plan(view, NOW)
    wanted = [intent.target for intent in todo.intents if intent.type is not ActionType.CALL_HOME]
    assert len(wanted) == len(set(wanted))
    assert not [target for target in wanted if view.open_action(target)]


@settings(max_examples=60, deadline=None)
@given(views())
def test_every_intent_says_why_and_every_open_action_goes_on(view: PairView) -> None:
    todo = plan(view, NOW)
    assert all(intent.reason and intent.message and intent.incident for intent in todo.intents)
    assert [made.name for made, _ in todo.progress] == [made.name for made in view.actions if made.open]
    assert todo.look_at is None or todo.look_at > NOW


@settings(max_examples=60, deadline=None)
@given(views())
def test_at_most_one_node_is_fenced(view: PairView) -> None:
    assert sum(intent.type is ActionType.FENCE for intent in plan(view, NOW).intents) <= 1


def test_a_pair_of_one_node_does_nothing() -> None:
    view = pair(node(faults=(fault("DiskProblem"),)), vms=(running(),))
    assert plan(replace(view, nodes=view.nodes[:1]), NOW).intents == ()


def intents_of(view: PairView) -> list[Intent]:
    return list(plan(view, NOW).intents)


def test_a_new_try_has_a_new_name_and_the_same_try_the_same_one() -> None:
    view = pair(node(faults=(fault("FanProblem", "FAN1"),)), vms=(running(),))
    first = next(intent for intent in intents_of(view) if intent.type is ActionType.MIGRATE)
    assert first in intents_of(view)
    failed = action(ActionType.MIGRATE, first.target, ActionPhase.FAILED, incident=first.incident,
                    instance_uid=first.instance_uid, finished_at=NOW - 60)  # fmt: skip
    second = next(i for i in intents_of(replace(view, actions=(failed,))) if i.type is ActionType.MIGRATE)
    assert second.name != first.name
    assert replace(second, name=first.name) == first


def test_a_bmc_is_read_closely_while_its_answer_decides_something() -> None:
    at_leisure = pair().policy.fencing.check_interval_seconds
    assert plan(pair(), NOW).power_checks == {"node-a": at_leisure, "node-b": at_leisure}
    suspect = pair(node(heard_at=NOW - 60), node("node-b", hears_peer=None))
    assert plan(suspect, NOW).power_checks == {"node-a": CLOSE_LOOK_SECONDS, "node-b": at_leisure}
    assert plan(pair(node(fence_agent=False)), NOW).power_checks == {"node-b": at_leisure}
