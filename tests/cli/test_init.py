"""init writes a pair that the API takes; the support bundle holds nothing that is secret."""

import io
import json
import sys

import pytest
import yaml

from avance.api.pair import AvancePair
from avance.cli import main
from avance.operator.bundle import LEFT_OUT, without_secrets

BMCS = ["--bmc", "https://10.0.0.11", "https://10.0.0.12"]


def test_it_prints_a_pair_and_what_else_is_to_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "node-a", "node-b", "--pair", "shop", *BMCS]) == 0
    said = capsys.readouterr()
    pair = AvancePair.parse(yaml.safe_load(said.out))
    assert pair.spec.node_selector == {"avance.dev/pair": "shop"}
    assert [(each.name, each.address) for each in pair.spec.fencing.nodes] == [
        ("node-a", "https://10.0.0.11"), ("node-b", "https://10.0.0.12")
    ]  # fmt: skip
    assert "kubectl label node node-a node-b avance.dev/pair=shop" in said.err
    assert "kubectl create secret generic bmc-node-b -n avance-system" in said.err


def test_without_an_answer_there_is_no_fencing_and_json_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "node-a", "node-b", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["spec"] == {"nodeSelector": {"avance.dev/pair": "site"}}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "nodes"), [("\n", 0), ("https://a https://b\n", 2)])
def test_on_a_terminal_it_asks_one_question(
    answer: str, nodes: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert main(["init", "node-a", "node-b", "-o", "json"]) == 0
    said = capsys.readouterr()
    assert len(json.loads(said.out)["spec"].get("fencing", {}).get("nodes", ())) == nodes
    assert said.err.count("(empty:") == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["node-a", "node-a"], "not one twice"),
        (["node-a", "node-b", "--pair", "My Shop"], "cannot name a pair"),
        (["node-a", "node-b", "--bmc", "10.0.0.11", "10.0.0.12"], "write https://<host>"),
        (["node-a", "node-b", "--bmc", "https://root:pw@10.0.0.11", "https://b"], "write https://<host>"),
    ],
)
def test_wrong_input_says_what_to_write(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", *arguments]) == 2
    said = capsys.readouterr()
    assert (complaint in said.err, said.out) == (True, "")


def test_what_a_guest_is_told_at_its_first_boot_is_left_out() -> None:
    volumes = [{"name": "init", "cloudInitNoCloud": {"userData": "password: hunter2"}}, {"name": "root"}]
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "password: hunter2", "kept": "yes"}
    obj = {"metadata": {"name": "web", "annotations": applied, "managedFields": [{}]}, "spec": {"volumes": volumes}}
    clean = without_secrets(obj)
    assert "hunter2" not in json.dumps(clean)
    assert clean == {
        "metadata": {"name": "web", "annotations": {"kept": "yes"}},
        "spec": {"volumes": [{"name": "init", "cloudInitNoCloud": {"userData": LEFT_OUT}}, {"name": "root"}]},
    }
    assert obj["metadata"]["managedFields"], "the object itself is not changed"
    pvm = {"spec": {"guest": {"cloudInit": {"userData": "password: hunter2"}, "os": "Linux"}}}
    assert "hunter2" not in json.dumps(without_secrets(pvm))


def test_a_bundle_goes_where_there_is_a_directory(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["support-bundle", "--file", "/nowhere/bundle.tar.gz"]) == 2
    assert "there is no directory /nowhere" in capsys.readouterr().err
