"""ProtectedVMs of every kind that the API can say, by a name that says what is special about each."""

from typing import Any

from avance.api import ProtectedVM
from avance.kubevirt.virtual_machine import virtual_machine

Object = dict[str, Any]

HOSTNAMES = {"node-a": "node-a", "node-b": "node-b"}


def protected_vm(**spec: Any) -> ProtectedVM:
    """A small Linux VM; keyword arguments are fields of its spec in the API's spelling."""
    small = {
        "pairRef": {"name": "site"},
        "cores": 2,
        "memory": "4Gi",
        "disks": [{"name": "root", "containerImage": "registry.example/fedora:40"}],
    }
    return ProtectedVM.parse(
        {
            "apiVersion": "avance.dev/v1alpha1",
            "kind": "ProtectedVM",
            "metadata": {"name": "web", "namespace": "shop", "uid": "uid-web"},
            "spec": {field: value for field, value in (small | spec).items() if value is not None},
        }
    )


def manifest(prefer: str = "node-a", **spec: Any) -> Object:
    """The VirtualMachine of such a VM."""
    return virtual_machine(protected_vm(**spec), "uid-web", HOSTNAMES, prefer)


INSTANCE_TYPE = {"name": "u1.medium"}

EXAMPLES: dict[str, Object] = {
    "a small Linux VM": {},
    "a disk of every source": {
        "disks": [
            {
                "name": "root",
                "goldenImage": {"name": "fedora", "namespace": "golden"},
                "capacity": "20Gi",
                "bootOrder": 1,
            },
            {
                "name": "web",
                "http": {
                    "url": "https://images.example/disk.qcow2",
                    "secretName": "login",
                    "caConfigMapName": "private-ca",
                },
                "capacity": "10Gi",
            },
            {"name": "copy", "clone": {"name": "old-data"}},
            {"name": "image", "registryImage": {"url": "docker://registry.example/disk:1"}, "capacity": "10Gi"},
            {"name": "data", "blank": {}, "capacity": "100Gi", "storageClassName": "fast", "bus": "scsi"},
            {"name": "old", "claim": {"name": "old-data"}, "bus": "sata"},
            {"name": "tools", "containerImage": "registry.example/tools:1"},
        ]
    },
    "Windows with everything": {
        "guest": {"os": "Windows", "sysprep": {"secretName": "answers"}},
        "healthChecks": {"panicDevice": True, "watchdog": "Reset", "guestAgentPing": {"enabled": True}},
        "networks": [{"name": "default", "pod": True, "model": "e1000e"}],
    },
    "Windows 11 that is installed from its ISO": {
        "guest": {
            "os": "Windows",
            "firmware": {"uefi": True, "secureBoot": True, "persistent": True},
            "tpm": "Persistent",
            "sysprep": {"secretName": "answers"},
        },
        "disks": [
            {"name": "root", "blank": {}, "capacity": "64Gi", "bootOrder": 1},
            {
                "name": "iso",
                "cdrom": True,
                "http": {"url": "https://images.example/win11.iso"},
                "capacity": "8Gi",
                "bootOrder": 2,
            },
            {"name": "drivers", "cdrom": True, "bus": "scsi", "containerImage": "registry.example/virtio-drivers:1"},
        ],
    },
    "Windows as its preference has it": {
        "cores": None,
        "memory": None,
        "guest": {"os": "Windows", "instanceType": INSTANCE_TYPE, "preference": {"name": "windows.2k22"}},
    },
    "Linux with every health check": {
        "healthChecks": {
            "panicDevice": True,
            "watchdog": "PowerOff",
            "guestAgentPing": {"enabled": True, "periodSeconds": 5, "failureThreshold": 2, "initialDelaySeconds": 60},
        }
    },
    "probed by http": {"healthChecks": {"probe": {"httpGet": {"port": 443, "path": "/up", "scheme": "HTTPS"}}}},
    "probed by a command": {"healthChecks": {"probe": {"exec": {"command": ["pg_isready", "-q"]}}}},
    "several networks": {
        "networks": [
            {"name": "default", "pod": True},
            {"name": "office", "networkAttachment": "nets/office", "macAddress": "02:00:00:12:34:56"},
            {"name": "old", "networkAttachment": "backup", "model": "rtl8139"},
        ]
    },
    "no network": {"networks": []},
    "cloud-init in the spec": {"guest": {"cloudInit": {"userData": "#cloud-config\n"}}},
    "cloud-init in a Secret": {"guest": {"cloudInit": {"secretName": "first-boot"}}},
    "sized by instance type": {
        "cores": None,
        "memory": None,
        "guest": {"instanceType": INSTANCE_TYPE, "preference": {"name": "fedora", "kind": "VirtualMachinePreference"}},
    },
    "with an overlay": {
        "template": {
            "metadata": {"annotations": {"team": "shop"}},
            "spec": {
                "priorityClassName": "vms",
                "domain": {
                    "cpu": {"sockets": 2, "model": "host-passthrough"},
                    "devices": {"disks": [{"name": "root", "cache": "none"}], "autoattachMemBalloon": False},
                },
            },
        }
    },
}
"""Fields of the spec, as `protected_vm` and `manifest` take them."""
