"""Where a VM is started, what has room, and who is primary."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avance.core.fitness import room_on, why_not_move_to, why_not_serve
from avance.core.model import ActionPhase, ActionType, NodeView, VmView
from avance.core.placement import backup_of, choose_node, pair_primary, why_nowhere
from avance.core.policy import PairPolicy, PlacementPolicy
from avance.core.resources import Resources
from tests.core.views import GIB, NOW, action, fault, node, pair, running

IDLE = replace(running("idle"), instance=None, last_node="", prefers="")
UNFIT = [
    ({"ready": "False"}, "is not Ready"),
    ({"ready": "Unknown"}, "is not Ready"),
    ({"ready": ""}, "is not Ready"),
    ({"cordoned": True}, "is cordoned"),
    ({"closed": True}, "until it has rejoined"),
    ({"out_of_service": True}, "until it has rejoined"),
    ({"accepts_vms": False}, "not schedulable for VMs"),
    ({"heard_at": NOW - 60}, "has been silent"),
]


@pytest.mark.parametrize(("fields", "reason"), UNFIT, ids=[reason for _, reason in UNFIT])
def test_an_unfit_node_takes_no_vm_and_says_why(fields: dict, reason: str) -> None:
    a = node(**fields)
    view = pair(a, vms=(IDLE,))
    assert reason in why_not_serve(view, a, NOW)
    assert reason in why_not_move_to(view, "node-a", NOW)
    assert choose_node(view, IDLE, NOW) == "node-b"


def test_nothing_moves_with_the_private_link_down_but_a_start_does_not_need_it() -> None:
    view = pair(node(faults=(fault("PrivateLinkProblem", "private-link"),)), vms=(IDLE,))
    assert why_not_move_to(view, "node-b", NOW) == "the private link is down"
    assert choose_node(view, IDLE, NOW) == "node-a"


def test_a_move_to_a_stranger_is_refused_in_words() -> None:
    assert why_not_move_to(pair(), "node-z", NOW) == "node-z is not a node of pair pair"


def test_room_counts_what_runs_there_what_is_bound_for_there_and_the_reserve() -> None:
    here, leaving = running("web"), running("db")
    move = action(ActionType.MIGRATE, "default/db", ActionPhase.RUNNING, destination="node-b")
    view = pair(vms=(here, leaving), actions=(move,))
    assert room_on(view, view.nodes[0]) == Resources(16000 - 1000 - 200, (64 - 2 - 8) * GIB)
    assert room_on(view, view.nodes[1]) == Resources(16000 - 1000 - 100, (64 - 2 - 4) * GIB)


@pytest.mark.parametrize(
    ("needs", "there"),
    [
        (Resources(15000, 62 * GIB), "node-a"),
        (Resources(15001, GIB), ""),
        (Resources(100, 62 * GIB + 1), ""),
    ],
    ids=["just fits", "a CPU too much", "a byte too much"],
)
def test_no_node_is_chosen_without_room(needs: Resources, there: str) -> None:
    vm = replace(IDLE, needs=needs)
    view = pair(vms=(vm,))
    assert choose_node(view, vm, NOW) == there
    assert there or why_nowhere(view, vm, NOW) == "node-a has no room for it; node-b has no room for it"


@pytest.mark.parametrize(
    ("vm", "faulty", "others", "policy", "there"),
    [
        (IDLE, "", (), PlacementPolicy.CONSOLIDATED, "node-a"),
        (IDLE, "node-a", (), PlacementPolicy.CONSOLIDATED, "node-b"),
        (replace(IDLE, preferred_node="node-b"), "", (), PlacementPolicy.CONSOLIDATED, "node-b"),
        (replace(IDLE, preferred_node="node-b"), "node-b", (), PlacementPolicy.CONSOLIDATED, "node-b"),
        (replace(IDLE, last_node="node-b"), "", (), PlacementPolicy.CONSOLIDATED, "node-b"),
        (IDLE, "", (running("db", on="node-b"),), PlacementPolicy.CONSOLIDATED, "node-b"),
        (IDLE, "", (running("db", on="node-a"),), PlacementPolicy.BALANCED, "node-b"),
        (IDLE, "node-b", (running("db", on="node-b"),), PlacementPolicy.CONSOLIDATED, "node-a"),
    ],
    ids=[
        "first by name", "healthier", "preferred", "preferred before healthier", "where it was", "in company",
        "balanced", "health before company",
    ],
)  # fmt: skip
def test_choice(vm: VmView, faulty: str, others: tuple[VmView, ...], policy: PlacementPolicy, there: str) -> None:
    def sound_or_not(name: str) -> NodeView:
        return node(name, faults=(fault("FanProblem", on=name),) if name == faulty else ())

    view = pair(sound_or_not("node-a"), sound_or_not("node-b"), (vm, *others), policy=PairPolicy(placement=policy))
    assert choose_node(view, vm, NOW) == there


def test_the_pairs_primary_holds_more_vms_and_each_vm_has_the_other_node_as_backup() -> None:
    web, db, mail = running("web", on="node-b"), running("db", on="node-b"), running("mail")
    view = pair(vms=(web, db, mail))
    assert pair_primary(view) == "node-b"
    assert (backup_of(view, web), backup_of(view, mail), backup_of(view, IDLE)) == ("node-a", "node-b", "")
    assert pair_primary(replace(view, nodes=())) == ""


amounts = st.builds(Resources, st.integers(0, 40_000), st.integers(0, 128 * GIB))


@given(amounts, amounts, amounts, st.booleans(), st.booleans())
def test_a_chosen_node_is_always_fit_and_has_room(
    needs: Resources, size_a: Resources, size_b: Resources, cordoned: bool, closed: bool
) -> None:
    vm = replace(IDLE, needs=needs)
    view = pair(node(allocatable=size_a, cordoned=cordoned), node("node-b", allocatable=size_b, closed=closed), (vm,))
    chosen = view.node(choose_node(view, vm, NOW))
    fit = [n for n in view.nodes if not why_not_serve(view, n, NOW) and needs.fits_in(room_on(view, n))]
    assert (chosen in fit) if chosen else not fit
