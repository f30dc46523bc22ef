"""`avance vm` and `avance image`: what they make of what was typed."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from avance.api import ProtectedVM
from avance.api.schema import structural_schema
from avance.cli.command_line import main, parser
from avance.cli.exits import Failure
from avance.cli.golden import golden_image
from avance.cli.vm_copying import chosen_disk, claim_of, cloned
from avance.cli.vm_manifest import protected_vm, split_name, user_data
from avance.kubevirt.overlay import holds

Object = dict[str, Any]
KEY = "ssh-ed25519 AAAAC3Nza ann@site"


def typed(*words: str) -> Namespace:
    return parser().parse_args(["vm", "create", "shop/till", *words])


def made(*words: str, text: str = "", size: str = "") -> Object:
    """The ProtectedVM; it has to fit the schema."""
    vm = protected_vm(typed(*words), "site", text, size)[-1]
    fits(vm)
    return vm


def fits(vm: Object) -> None:
    """The API server takes it, and drops nothing of it."""
    jsonschema.validate(vm, structural_schema(ProtectedVM))
    assert holds(ProtectedVM.parse(vm).to_api()["spec"], vm["spec"])


def test_an_image_is_all_that_has_to_be_said() -> None:
    assert made("--image", "debian-12") == {
        "apiVersion": "avance.dev/v1alpha1",
        "kind": "ProtectedVM",
        "metadata": {"name": "till", "namespace": "shop"},
        "spec": {
            "pairRef": {"name": "site"},
            "cores": 2,
            "memory": "4Gi",
            "restartPriority": "Medium",
            "disks": [{"name": "root", "goldenImage": {"name": "debian-12", "namespace": "shop"}, "bootOrder": 1}],
            "networks": [{"name": "default", "pod": True}],
        },
    }


def test_everything_that_can_be_said() -> None:
    words = "--http https://images.example/a --cores 4 --memory 8Gi --priority High --stopped --network office/lan"
    disks = ("--disk", "40Gi,bus=sata", "--disk", "200Gi,spindles=4", "--disk", "1Ti,class=slow")
    spec = made(*words.split(), *disks, text="#cloud-config\n")["spec"]
    assert spec["disks"] == [
        {
            "name": "root",
            "capacity": "40Gi",
            "bus": "sata",
            "http": {"url": "https://images.example/a"},
            "bootOrder": 1,
        },
        {"name": "data1", "capacity": "200Gi", "spindles": 4, "blank": {}},
        {"name": "data2", "capacity": "1Ti", "storageClassName": "slow", "blank": {}},
    ]
    assert (spec["cores"], spec["memory"], spec["restartPriority"], spec["running"]) == (4, "8Gi", "High", False)
    assert spec["networks"] == [{"name": "lan", "networkAttachment": "office/lan"}]
    assert spec["guest"] == {"cloudInit": {"userData": "#cloud-config\n"}}
    assert made("--registry", "docker://r.example/a:1")["spec"]["disks"][0]["capacity"] == "20Gi"


def test_long_user_data_goes_into_a_secret_that_comes_first() -> None:
    secret, vm = protected_vm(typed("--blank"), "site", "#cloud-config\n" + "x" * 3000)
    assert secret["metadata"] == {"name": "till-cloud-init", "namespace": "shop"}
    assert vm["spec"]["guest"] == {"cloudInit": {"secretName": "till-cloud-init"}}


def test_a_key_is_added_to_the_user_data(tmp_path: Path) -> None:
    file = tmp_path / "user-data"
    file.write_text("#cloud-config\npackages: [vim]\nssh_authorized_keys: [old]\n")
    text = user_data(str(file), KEY)
    assert text.startswith("#cloud-config\n")
    assert yaml.safe_load(text) == {"packages": ["vim"], "ssh_authorized_keys": ["old", KEY]}
    public = tmp_path / "id.pub"
    public.write_text(f"{KEY}\n")
    assert yaml.safe_load(user_data(None, str(public))) == {"ssh_authorized_keys": [KEY]}
    assert user_data(None, None) == ""


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--http", "images.example/a"], "write the whole address"),
        (["--registry", "r.example/a"], "write docker://<registry>/<image>:<tag>"),
        (["--blank", "--disk", "20"], "mind the unit: 20Gi, not 20"),
        (["--blank", "--disk", "much"], "write a number and a unit"),
        (["--blank", "--disk", "1Gi,spindles=0"], "1 to 64"),
        (["--blank", "--disk", "1Gi,fast"], "SIZE[,spindles=N][,class=NAME]"),
        (["--blank", "--network", "Office"], "NAMESPACE/NAME of a NetworkAttachmentDefinition"),
        (["--blank", "--cores", "0"], "at least one"),
        (["--blank", "--ssh-key", "/nowhere.pub"], "--ssh-key takes a public key, or the file that holds one"),
        (["--blank", "--cloud-init", "/nowhere"], "--cloud-init /nowhere"),
        (["--image", "a/b/c"], "write NAMESPACE/NAME"),
    ],
)
def test_wrong_input_says_what_to_write(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vm", "create", "shop/till", "--pair", "site", "--dry-run", *words]) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["vm", "create", "till"], "one of the arguments --image --registry --http --blank --iso is required"),
        (["vm", "create", "till", "--image", "a", "--blank"], "not allowed with argument --image"),
        (["image", "import", "debian"], "one of the arguments --http --registry is required"),
        (["vm", "template", "till"], "--name"),
    ],
)
def test_a_source_is_said_once(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_disk_is_not_smaller_than_its_image() -> None:
    with pytest.raises(Failure, match="the image is 20Gi large"):
        made("--image", "debian", "--disk", "10Gi", size="20Gi")
    assert made("--image", "debian", "--disk", "30Gi", size="20Gi")["spec"]["disks"][0]["capacity"] == "30Gi"


def test_a_dry_run_that_has_nothing_to_look_up_needs_no_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vm", "create", "till", "--pair", "site", "--image", "images/debian", "--dry-run"]) == 0
    [vm] = yaml.safe_load_all(capsys.readouterr().out)
    assert vm["metadata"] == {"name": "till", "namespace": "default"}


SOURCE: Object = {
    "apiVersion": "avance.dev/v1alpha1",
    "kind": "ProtectedVM",
    "metadata": {"name": "till", "namespace": "shop", "uid": "u", "labels": {"team": "shop"}},
    "spec": {
        "pairRef": {"name": "site"},
        "cores": 2,
        "memory": "4Gi",
        "running": False,
        "pause": {"until": "2026-01-01T00:00:00Z", "reason": "works"},
        "disks": [
            {"name": "root", "goldenImage": {"name": "debian"}, "capacity": "20Gi", "spindles": 2, "bootOrder": 1},
            {"name": "old", "claim": {"name": "old-data"}},
            {"name": "tools", "containerImage": "r.example/tools:1"},
            {"name": "iso", "claim": {"name": "windows-iso"}, "cdrom": True},
        ],
        "networks": [{"name": "lan", "networkAttachment": "office/lan", "macAddress": "02:00:00:12:34:56"}],
        "guest": {"cloudInit": {"userData": "#cloud-config\nhostname: till\nfqdn: till.example\npackages: [vim]\n"}},
        "template": {"spec": {"hostname": "till", "domain": {"firmware": {"uuid": "x", "serial": "y", "bios": {}}}}},
    },
    "status": {"phase": "Stopped"},
}


def test_a_clone_has_copies_of_the_disks_and_is_another_machine() -> None:
    clone, notes = cloned(SOURCE, "web", running=True)
    fits(clone)
    assert clone["metadata"] == {"name": "web", "namespace": "shop", "labels": {"team": "shop"}}
    spec = clone["spec"]
    assert spec["disks"] == [
        {"name": "root", "capacity": "20Gi", "spindles": 2, "bootOrder": 1, "clone": {"name": "till-root"}},
        {"name": "old", "clone": {"name": "old-data"}},
        {"name": "tools", "containerImage": "r.example/tools:1"},
        {"name": "iso", "claim": {"name": "windows-iso"}, "cdrom": True},
    ]
    assert spec["networks"] == [{"name": "lan", "networkAttachment": "office/lan"}]
    assert yaml.safe_load(spec["guest"]["cloudInit"]["userData"]) == {"packages": ["vim"]}
    assert spec["template"] == {"spec": {"domain": {"firmware": {"bios": {}}}}}
    assert not {"pause", "running"} & spec.keys()
    assert notes == []
    assert SOURCE["spec"]["networks"][0]["macAddress"] == "02:00:00:12:34:56"


def test_a_clone_that_shares_what_its_guest_is_told_says_so() -> None:
    for guest, words in (({}, "name and keys of till"), ({"cloudInit": {"secretName": "first"}}, "Secret first")):
        clone, [note] = cloned({**SOURCE, "spec": {**SOURCE["spec"], "guest": guest}}, "web", running=False)
        assert words in note
        assert clone["spec"]["running"] is False


def test_a_disk_that_is_kept_nowhere_cannot_be_copied() -> None:
    with pytest.raises(Failure, match="what is written to it is lost"):
        claim_of(SOURCE, {"name": "tools", "containerImage": "x"})


def test_an_image_is_made_of_the_disk_that_the_guest_boots_from() -> None:
    disks = [
        {"name": "iso", "claim": {"name": "iso"}, "cdrom": True, "bootOrder": 1},
        {"name": "data", "blank": {}, "capacity": "1Gi"},
        {"name": "system", "blank": {}, "capacity": "1Gi", "bootOrder": 2},
    ]
    assert chosen_disk({"spec": {"disks": disks}}, "")["name"] == "system"
    assert chosen_disk({"spec": {"disks": disks}}, "data")["name"] == "data"
    with pytest.raises(Failure, match="there is no disk logs; there are: iso, data, system"):
        chosen_disk({"spec": {"disks": disks}}, "logs")
    with pytest.raises(Failure, match="adopted"):
        chosen_disk({"spec": {"vmRef": {"name": "old"}}}, "")


def test_a_golden_image_is_a_data_volume_and_the_data_source_that_names_it() -> None:
    volume, image = golden_image("images", "debian", {"http": {"url": "https://x/y"}}, "20Gi", "fast")
    assert volume["spec"]["storage"]["resources"] == {"requests": {"storage": "20Gi"}}
    assert volume["spec"]["storage"]["storageClassName"] == "fast"
    assert image["spec"] == {"source": {"pvc": {"name": "debian", "namespace": "images"}}}


def test_names_with_and_without_a_namespace() -> None:
    assert split_name("shop/till") == ("shop", "till")
    assert split_name("till", "shop") == ("shop", "till")
    for wrong in ("", "Till", "a/b/c", "-x", "shop/"):
        with pytest.raises(Failure, match="write NAMESPACE/NAME"):
            split_name(wrong)
