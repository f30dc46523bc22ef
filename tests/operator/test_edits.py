"""Which edits are found, what they say, and what is kept of the specs."""

import json
from dataclasses import replace
from typing import Any

from avance.api.pair import AvancePair, PairSpec
from avance.api.protected_vm import ProtectedVMSpec
from avance.core.edits import Edit, EditKind
from avance.core.intents import record_of_edit
from avance.core.model import ActionType, PairView
from avance.core.rules.edit import message
from avance.kube.resources import AVANCE_PAIRS, PROTECTED_VMS
from avance.operator.actions import intent_object
from avance.operator.edits import EDITS, EditWatch
from avance.operator.spec_fields import changes, defaults_of, fields_of
from tests.core.views import action
from tests.operator.objects import PAIR, World, protected_vm

Object = dict[str, Any]


class Log:
    """A pair with its status, as the operator would write it look after look."""

    def __init__(self, *, stamped: bool = True) -> None:
        self.world = World()
        self.watch = EditWatch(self.world.store, stamped=stamped)
        self.world.quiet_pair()

    @property
    def pair(self) -> Object:
        found = self.world.store.get(AVANCE_PAIRS, PAIR)
        assert found
        return found

    def look(self, *recorded: Edit) -> PairView:
        """A look after these edits have been recorded."""
        view = self.world.observer.view(self.world.observer.pair(self.pair))
        done = tuple(
            replace(action(ActionType.EDIT, each.record.target), name=record_of_edit(view, each, "").name)
            for each in recorded
        )
        return self.watch.around(self.pair, AvancePair.parse(self.pair), replace(view, actions=done))

    def write(self, view: PairView) -> None:
        kept = self.watch.recorded(self.pair, AvancePair.parse(self.pair), view)
        self.world.put(AVANCE_PAIRS, {**self.pair, "status": {"observedGeneration": 1, "recorded": kept}})

    def begin(self) -> None:
        """Everything that there is goes on record."""
        self.write(self.look(*self.look().edits))
        assert self.look().edits == ()

    def put_vm(self, name: str = "web", generation: int = 1, edits: str = "", **spec: Any) -> None:
        obj = protected_vm(name, **spec)
        notes = {"annotations": {EDITS: edits}} if edits else {}
        self.world.put(PROTECTED_VMS, {**obj, "metadata": {**obj["metadata"], "generation": generation, **notes}})


def test_a_new_pair_is_told_with_the_vms_that_were_there_and_kept_once_it_is_on_record() -> None:
    log = Log()
    log.put_vm(edits="1 ann")
    log.put_vm("db")
    (pair,) = log.look().edits
    assert (pair.kind, pair.record.target, pair.editor) == (EditKind.CREATED, PAIR, "")
    assert pair.changes == ("shop/db by nobody noted", "shop/web by ann")
    assert message(replace(pair, hint="")) == (
        "site was created, with VMs that were there: shop/db by nobody noted; shop/web by ann"
    )
    log.write(log.look())
    assert log.look().edits == (pair,), "nothing is on record yet"
    log.write(log.look(pair))
    assert log.look().edits == ()


def test_what_is_new_is_told_and_kept_once_it_is_on_record() -> None:
    log = Log()
    log.begin()
    log.put_vm(edits="1 ann")
    log.put_vm("db")
    db, web = log.look().edits
    assert (web.kind, web.record.target, web.editor, web.hint) == (EditKind.CREATED, "shop/web", "ann", "")
    assert (db.record.target, db.editor) == ("shop/db", "")
    log.write(log.look(web))
    assert log.look().edits == (db,)


def test_a_pair_from_before_is_taken_as_it_is() -> None:
    log = Log()
    log.put_vm()
    log.world.put(AVANCE_PAIRS, {**log.pair, "status": {"observedGeneration": 1}})
    assert log.look().edits == ()
    log.write(log.look())
    assert log.look().edits == ()
    log.put_vm("db")
    assert [each.record.target for each in log.look().edits] == ["shop/db"]


def test_edits_since_the_record_are_one_with_all_their_users() -> None:
    log = Log()
    log.put_vm()
    log.begin()
    log.put_vm(generation=5, edits="2 ann\n3 eve\n4 ann\n5 bob", cores=4)
    (found,) = log.look().edits
    assert (found.kind, found.since, found.record.generation) == (EditKind.CHANGED, 1, 5)
    assert (found.editor, found.earlier) == ("bob", ("ann", "eve"))
    assert found.changes == ("cores from 2 to 4",)
    log.write(log.look(found))
    assert log.look().edits == ()


def test_a_user_is_named_only_where_the_api_server_has_noted_one() -> None:
    garbage = "2 ann\nx bob\n\n\u00b2 joe\n3"
    for stamped, notes, editor, earlier in ((False, "2 ann\n3 bob", "", ()), (True, garbage, "", ("ann",))):
        log = Log(stamped=stamped)
        log.put_vm()
        log.begin()
        log.put_vm(generation=3, edits=notes, cores=4)
        (found,) = log.look().edits
        assert (found.editor, found.earlier) == (editor, earlier)
        assert found.hint


def test_the_program_that_wrote_last_is_a_hint_where_no_user_is_noted() -> None:
    log = Log(stamped=False)
    log.begin()
    obj = protected_vm("web")
    wrote = [
        {"manager": "helm", "time": "2026-05-01T10:00:00Z"},
        {"manager": "kubectl-edit", "time": "2026-05-01T11:00:00Z"},
        {"manager": "avance", "time": "2026-05-01T12:00:00Z", "subresource": "status"},
    ]
    log.world.put(PROTECTED_VMS, {**obj, "metadata": {**obj["metadata"], "managedFields": wrote}})
    (found,) = log.look().edits
    assert found.hint == "by whom is not noted; the program kubectl-edit wrote last, at 2026-05-01T11:00:00Z"


def test_what_waits_for_its_end_is_not_told_as_changed() -> None:
    """A deletion that a finalizer holds up counts as a generation of its own."""
    log = Log()
    log.put_vm()
    log.begin()
    obj = protected_vm("web")
    going = {**obj["metadata"], "generation": 2, "deletionTimestamp": "2026-05-01T10:00:00Z"}
    log.world.put(PROTECTED_VMS, {**obj, "metadata": going})
    assert log.look().edits == ()


def test_what_is_deleted_and_made_anew_is_told_as_both() -> None:
    log = Log()
    log.put_vm()
    log.begin()
    old = log.world.store.get(PROTECTED_VMS, "web", "shop")
    assert old
    log.world.store.drop(PROTECTED_VMS, old)
    (gone,) = log.look().edits
    assert (gone.kind, gone.record.target) == (EditKind.DELETED, "shop/web")
    new = protected_vm("web")
    log.world.put(PROTECTED_VMS, {**new, "metadata": {**new["metadata"], "uid": "another"}})
    assert {each.kind for each in log.look().edits} == {EditKind.DELETED, EditKind.CREATED}
    log.write(log.look(*log.look().edits))
    assert log.look().edits == ()


def test_the_record_is_the_users_and_without_one_nobodys() -> None:
    log = Log()
    found = log.look().edits
    log.begin()
    log.put_vm(edits="1 ann")
    by_nobody, by_ann = (
        intent_object(PAIR, "uid", record_of_edit(log.look(), each, "words"), "operator")["spec"]
        for each in (*found, *log.look().edits)
    )
    assert "requestedBy" not in by_nobody
    assert by_nobody["target"] == {"kind": "AvancePair", "name": PAIR}
    assert by_ann["requestedBy"] == "ann"
    assert by_ann["target"] == {"kind": "ProtectedVM", "name": "web", "namespace": "shop"}


def vm(**spec: Any) -> ProtectedVMSpec:
    disks = [{"name": "root", "containerImage": "registry.example/linux:1"}]
    return ProtectedVMSpec.parse({"pairRef": {"name": PAIR}, "cores": 2, "memory": "4Gi", "disks": disks, **spec})


def told(before: ProtectedVMSpec, after: ProtectedVMSpec) -> tuple[str, ...]:
    return changes(fields_of(before), fields_of(after), defaults_of(ProtectedVMSpec))


def test_changes_are_told_with_the_values_that_defaults_give() -> None:
    assert told(vm(), vm(cores=4, running=False)) == ("cores from 2 to 4", "running from true to false")
    assert told(vm(restartPriority="High"), vm()) == ("restartPriority from High to Medium",)
    assert told(vm(), vm(preferredNode="node-a")) == ("preferredNode set to node-a",)
    assert told(vm(preferredNode="node-a"), vm()) == ("preferredNode removed, it was node-a",)
    more = [{"name": "root", "containerImage": "registry.example/linux:2"}, {"name": "data", "capacity": "9Gi"}]
    assert told(vm(), vm(disks=more)) == (
        "disks[data].capacity set to 9Gi",
        "disks[data].name set to data",
        "disks[root].containerImage from registry.example/linux:1 to registry.example/linux:2",
    )


def test_the_defaults_of_a_pair_are_no_choice() -> None:
    assert dict(fields_of(PairSpec.parse({"nodeSelector": {"avance.dev/pair": "a"}}))) == {
        "nodeSelector.avance.dev/pair": '"a"'
    }
    assert defaults_of(PairSpec)["recovery.failback"] == '"Automatic"'
    assert defaults_of(ProtectedVMSpec)["networks[default].pod"] == "true"


def test_secrets_are_neither_kept_nor_told() -> None:
    secret = {
        "guest": {"cloudInit": {"userData": "hunter2"}},
        "template": {"spec": {"volumes": [{"name": "a", "cloudInitNoCloud": {"networkData": "hunter2"}}],
                              "adminPassword": "hunter2", "notes": "x" * 100 + "hunter2"}},
    }  # fmt: skip
    everything = json.dumps(fields_of(vm(**secret))) + str(told(vm(), vm(**secret)))
    assert "hunter2" not in everything
    assert told(vm(guest={"cloudInit": {"userData": "a"}}), vm(guest={"cloudInit": {"userData": "b"}})) == (
        "guest.cloudInit.userData changed (its value is not shown)",
    )
    assert told(vm(guest={"cloudInit": {"secretName": "a"}}), vm(guest={"cloudInit": {"secretName": "b"}})) == (
        "guest.cloudInit.secretName from a to b",
    )
    node = {"name": "node-a", "agent": "fence_x", "credentialsSecretName": "bmc", "parameters": {"pin": "hunter2"}}
    spec = PairSpec.parse({"nodeSelector": {"a": "b"}, "fencing": {"nodes": [node]}})
    fields = fields_of(spec)
    assert "hunter2" not in str(fields)
    assert fields["fencing.nodes[node-a].credentialsSecretName"] == '"bmc"'


def test_a_spec_that_is_too_large_says_so() -> None:
    log = Log()
    log.put_vm(template={"spec": {f"field{number}": number for number in range(2000)}})
    log.begin()
    log.put_vm(generation=2, cores=4)
    (found,) = log.look().edits
    assert found.changes == ("its spec was changed, in too many fields to name",)
