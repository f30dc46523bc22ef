"""The VirtualMachine that a ProtectedVM becomes: read as KubeVirt will read it."""

from typing import Any

import pytest

from avance.kubevirt.disks import striped_classes
from avance.kubevirt.virtual_machine import virtual_machine
from tests.kubevirt.protected_vms import EXAMPLES, HOSTNAMES, manifest, protected_vm

Object = dict[str, Any]


def template(**spec: Any) -> Object:
    found: Object = manifest(**spec)["spec"]["template"]["spec"]
    return found


def domain(**spec: Any) -> Object:
    found: Object = template(**spec)["domain"]
    return found


def by_name(items: list[Object]) -> dict[str, Object]:
    return {item["name"]: {key: value for key, value in item.items() if key != "name"} for item in items}


def test_nothing_starts_moves_or_ends_it_but_avance() -> None:
    vm = manifest()
    assert vm["spec"]["runStrategy"] == "Manual"
    assert template()["evictionStrategy"] == "External"
    assert {each["key"]: (each["operator"], each["effect"]) for each in template()["tolerations"]} == {
        "node.kubernetes.io/not-ready": ("Exists", "NoExecute"),
        "node.kubernetes.io/unreachable": ("Exists", "NoExecute"),
    }
    assert not any("tolerationSeconds" in each for each in template()["tolerations"])


def test_it_belongs_to_its_protected_vm_and_is_found_by_pair() -> None:
    metadata = manifest()["metadata"]
    assert (metadata["namespace"], metadata["name"]) == ("shop", "web")
    [owner] = metadata["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == ("ProtectedVM", "web", "uid-web", True)
    assert metadata["labels"]["avance.dev/pair"] == "site"
    assert manifest()["spec"]["template"]["metadata"]["labels"] == {"avance.dev/pair": "site", "avance.dev/vm": "web"}


def test_it_may_run_on_the_two_nodes_of_the_pair_and_nowhere_else() -> None:
    affinity = template(prefer="node-b")["affinity"]["nodeAffinity"]
    [required] = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert required == {
        "matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-a", "node-b"]}]
    }
    [preferred] = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["preference"]["matchExpressions"][0]["values"] == ["node-b"]
    assert "nodeSelector" not in template()


def test_affinity_goes_by_hostname_label_the_annotation_by_name_of_node() -> None:
    hostnames = {"node-a": "host-1.example", "node-b": "host-2.example"}
    vm = virtual_machine(protected_vm(), "uid", hostnames, "node-b")
    affinity = vm["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    [term] = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["host-1.example", "host-2.example"]
    [preferred] = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["preference"]["matchExpressions"][0]["values"] == ["host-2.example"]
    assert vm["metadata"]["annotations"] == {"avance.dev/prefers": "node-b"}


def test_its_size_comes_from_the_spec_or_from_an_instance_type_never_from_both() -> None:
    assert (domain()["cpu"], domain()["memory"]) == ({"cores": 2}, {"guest": "4Gi"})
    vm = manifest(**EXAMPLES["sized by instance type"])
    assert vm["spec"]["instancetype"] == {"name": "u1.medium", "kind": "VirtualMachineClusterInstancetype"}
    assert vm["spec"]["preference"] == {"name": "fedora", "kind": "VirtualMachinePreference"}
    assert {"cpu", "memory"} & vm["spec"]["template"]["spec"]["domain"].keys() == set()
    assert {"instancetype", "preference"} & manifest()["spec"].keys() == set()


def test_every_source_of_a_disk_becomes_its_volume() -> None:
    spec = EXAMPLES["a disk of every source"]
    assert by_name(template(**spec)["volumes"]) == {
        "root": {"dataVolume": {"name": "web-root"}},
        "web": {"dataVolume": {"name": "web-web"}},
        "image": {"dataVolume": {"name": "web-image"}},
        "copy": {"dataVolume": {"name": "web-copy"}},
        "data": {"dataVolume": {"name": "web-data"}},
        "old": {"persistentVolumeClaim": {"claimName": "old-data"}},
        "tools": {"containerDisk": {"image": "registry.example/tools:1"}},
    }
    made = {each["metadata"]["name"]: each["spec"] for each in manifest(**spec)["spec"]["dataVolumeTemplates"]}
    assert made["web-root"]["sourceRef"] == {"kind": "DataSource", "name": "fedora", "namespace": "golden"}
    assert {name: each["source"] for name, each in made.items() if name != "web-root"} == {
        "web-web": {
            "http": {"url": "https://images.example/disk.qcow2", "secretRef": "login", "certConfigMap": "private-ca"}
        },
        "web-image": {"registry": {"url": "docker://registry.example/disk:1"}},
        "web-data": {"blank": {}},
        "web-copy": {"pvc": {"name": "old-data", "namespace": "shop"}},
    }
    assert made["web-data"]["storage"] == {
        "accessModes": ["ReadWriteMany"],
        "volumeMode": "Block",
        "resources": {"requests": {"storage": "100Gi"}},
        "storageClassName": "fast",
    }
    assert "storageClassName" not in made["web-root"]["storage"]
    assert made["web-copy"]["storage"] == {"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}


def test_a_golden_image_without_a_namespace_is_one_of_the_vm() -> None:
    vm = manifest(disks=[{"name": "root", "goldenImage": {"name": "fedora"}}])
    [made] = vm["spec"]["dataVolumeTemplates"]
    assert made["spec"]["sourceRef"]["namespace"] == "shop"


def test_spindles_become_the_storage_class_that_the_pair_offers() -> None:
    pvm = protected_vm(disks=[{"name": "data", "blank": {}, "capacity": "1Gi", "spindles": 4}])
    striped = striped_classes(pvm, {1: "plain", 4: "striped-4"}, None)
    vm = virtual_machine(pvm, "uid", HOSTNAMES, "node-a", striped)
    assert vm["spec"]["dataVolumeTemplates"][0]["spec"]["storage"]["storageClassName"] == "striped-4"
    assert striped_classes(pvm, {1: "plain"}, None) == {}


def test_a_disk_keeps_its_class_when_the_table_of_the_pair_changes() -> None:
    pvm = protected_vm(disks=[{"name": "data", "blank": {}, "capacity": "1Gi", "spindles": 4}])
    made = virtual_machine(pvm, "uid", HOSTNAMES, "node-a", {"data": "striped-4"})
    assert striped_classes(pvm, {4: "other"}, made) == {"data": "striped-4"}
    assert striped_classes(pvm, {}, made) == {"data": "striped-4"}


def test_a_vm_whose_disks_exist_makes_no_data_volume() -> None:
    assert "dataVolumeTemplates" not in manifest()["spec"]


def test_each_disk_has_a_device_with_its_bus_and_boot_order() -> None:
    devices = by_name(domain(**EXAMPLES["a disk of every source"])["devices"]["disks"])
    assert devices["root"] == {"disk": {"bus": "virtio"}, "bootOrder": 1}
    assert devices["data"] == {"disk": {"bus": "scsi"}}
    assert devices["old"] == {"disk": {"bus": "sata"}}


def test_networks_can_be_live_migrated() -> None:
    spec = EXAMPLES["several networks"]
    assert by_name(template(**spec)["networks"]) == {
        "default": {"pod": {}},
        "office": {"multus": {"networkName": "nets/office"}},
        "old": {"multus": {"networkName": "backup"}},
    }
    assert by_name(domain(**spec)["devices"]["interfaces"]) == {
        "default": {"model": "virtio", "masquerade": {}},
        "office": {"model": "virtio", "bridge": {}, "macAddress": "02:00:00:12:34:56"},
        "old": {"model": "rtl8139", "bridge": {}},
    }


def test_without_a_word_about_networks_it_is_on_the_pod_network() -> None:
    assert template()["networks"] == [{"name": "default", "pod": {}}]


def test_no_network_is_no_network() -> None:
    """KubeVirt gives a VM that lists none a bridge on the pod network, which could not be live-migrated."""
    assert domain(networks=[])["devices"]["autoattachPodInterface"] is False


@pytest.mark.parametrize(
    ("guest", "volume"),
    [
        ({"cloudInit": {"userData": "#cloud-config\n"}}, {"cloudInitNoCloud": {"userData": "#cloud-config\n"}}),
        ({"cloudInit": {"secretName": "boot"}}, {"cloudInitNoCloud": {"secretRef": {"name": "boot"}}}),
    ],
)
def test_cloud_init_is_a_disk(guest: Object, volume: Object) -> None:
    assert by_name(template(guest=guest)["volumes"])["cloudinit"] == volume
    assert by_name(domain(guest=guest)["devices"]["disks"])["cloudinit"] == {"disk": {"bus": "virtio"}}


def test_sysprep_is_a_cd_that_windows_reads_without_a_driver() -> None:
    spec = EXAMPLES["Windows with everything"]
    assert by_name(template(**spec)["volumes"])["sysprep"] == {"sysprep": {"secret": {"name": "answers"}}}
    assert by_name(domain(**spec)["devices"]["disks"])["sysprep"] == {"cdrom": {"bus": "sata"}}


def test_windows_gets_its_clock_its_enlightenments_and_time_to_shut_down() -> None:
    spec = {"guest": {"os": "Windows"}}
    assert domain(**spec)["clock"]["timer"]["hyperv"] == {}
    assert domain(**spec)["features"]["hyperv"]["spinlocks"] == {"spinlocks": 8191}
    assert template(**spec)["terminationGracePeriodSeconds"] == 300
    assert {"clock", "features"} & domain().keys() == set()
    assert template()["terminationGracePeriodSeconds"] == 60


def test_windows_11_boots_by_uefi_and_has_its_tpm() -> None:
    found = domain(**EXAMPLES["Windows 11 that is installed from its ISO"])
    assert found["firmware"] == {"bootloader": {"efi": {"secureBoot": True, "persistent": True}}}
    assert found["features"]["smm"] == {"enabled": True}, "KubeVirt refuses secure boot without it"
    assert "hyperv" in found["features"]
    assert found["devices"]["tpm"] == {"persistent": True}
    assert domain(guest={"tpm": "Ephemeral"})["devices"]["tpm"] == {}
    assert domain(guest={"firmware": {"uefi": True}})["firmware"] == {"bootloader": {"efi": {"secureBoot": False}}}
    assert "firmware" not in domain(guest={"firmware": {}})


def test_the_installer_boots_only_while_the_disk_is_empty() -> None:
    disks = by_name(domain(**EXAMPLES["Windows 11 that is installed from its ISO"])["devices"]["disks"])
    assert disks["root"] == {"disk": {"bus": "virtio"}, "bootOrder": 1}
    assert disks["iso"] == {"cdrom": {"bus": "sata"}, "bootOrder": 2}
    assert disks["drivers"] == {"cdrom": {"bus": "scsi"}}


def test_a_preference_has_the_last_word_on_what_suits_the_guest() -> None:
    found = domain(**EXAMPLES["Windows as its preference has it"])
    assert {"clock", "features", "firmware"} & found.keys() == set()
    assert {"cpu", "memory"} & found.keys() == set(), "what the instance type says KubeVirt refuses to hear twice"


def test_health_checks_are_devices_and_a_probe() -> None:
    spec = EXAMPLES["Linux with every health check"]
    assert domain(**spec)["devices"]["watchdog"] == {"name": "watchdog", "i6300esb": {"action": "poweroff"}}
    assert domain(**spec)["devices"]["panicDevices"] == [{"model": "isa"}]
    assert template(**spec)["readinessProbe"] == {"guestAgentPing": {}, "periodSeconds": 5, "failureThreshold": 2}


@pytest.mark.parametrize(
    ("how", "kubevirts"),
    [
        ({"httpGet": {"port": 8080}}, {"httpGet": {"port": 8080, "path": "/", "scheme": "HTTP"}}),
        ({"tcpSocket": {"port": 5432}}, {"tcpSocket": {"port": 5432}}),
        ({"exec": {"command": ["pg_isready"]}}, {"exec": {"command": ["pg_isready"]}}),
    ],
)
def test_a_probe_is_one_of_kubevirts_and_never_lets_the_kubelet_end_the_guest(how: dict, kubevirts: dict) -> None:
    written = template(healthChecks={"probe": {**how, "periodSeconds": 5}})
    assert written["readinessProbe"] == {**kubevirts, "timeoutSeconds": 5, "periodSeconds": 5, "failureThreshold": 3}
    assert "livenessProbe" not in written


def test_a_panic_device_speaks_the_language_of_its_guest() -> None:
    assert domain(**EXAMPLES["Windows with everything"])["devices"]["panicDevices"] == [{"model": "hyperv"}]


def test_health_checks_that_nobody_asked_for_are_absent() -> None:
    assert {"watchdog", "panicDevices"} & domain()["devices"].keys() == set()
    assert {"livenessProbe", "readinessProbe"} & template().keys() == set()


def test_an_overlay_adds_what_this_api_does_not_name() -> None:
    spec = EXAMPLES["with an overlay"]
    laid = manifest(**spec)["spec"]["template"]
    assert laid["metadata"]["annotations"] == {"team": "shop"}
    assert laid["metadata"]["labels"]["avance.dev/vm"] == "web"
    assert laid["spec"]["domain"]["cpu"] == {"cores": 2, "sockets": 2, "model": "host-passthrough"}
    assert laid["spec"]["domain"]["devices"]["disks"] == [{"name": "root", "disk": {"bus": "virtio"}, "cache": "none"}]
    assert laid["spec"]["domain"]["devices"]["autoattachMemBalloon"] is False


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_same_vm_is_written_the_same_way_each_time(name: str) -> None:
    spec = EXAMPLES[name]
    assert manifest(**spec) == manifest(**spec)
    turned = virtual_machine(protected_vm(**spec), "uid-web", dict(reversed(HOSTNAMES.items())), "node-a")
    assert turned == manifest(**spec)
