"""What runs inside a VM: the operating system, how it boots, and what it does at its first boot."""

from typing import Annotated, Literal

from pydantic import Field

from avance.api.base import ApiModel, Rule, exactly_one
from avance.api.meta import ObjectName


class InstanceTypeRef(ApiModel):
    """A KubeVirt instance type."""

    name: ObjectName
    """Name of the instance type."""
    kind: Literal["VirtualMachineClusterInstancetype", "VirtualMachineInstancetype"] = (
        "VirtualMachineClusterInstancetype"
    )
    """Kind of the instance type: of the cluster, or of the VM's namespace."""


class PreferenceRef(ApiModel):
    """A KubeVirt preference."""

    name: ObjectName
    """Name of the preference."""
    kind: Literal["VirtualMachineClusterPreference", "VirtualMachinePreference"] = "VirtualMachineClusterPreference"
    """Kind of the preference: of the cluster, or of the VM's namespace."""


class CloudInit(ApiModel):
    """What a Linux guest does at its first boot."""

    rules = (Rule(exactly_one("userData", "secretName"), "give exactly one of userData and secretName"),)

    user_data: (
        Annotated[
            str,
            Field(max_length=65536),
            Rule(
                "self.size() <= 2048",
                "at most 2048 characters fit: put longer user data into a Secret and name it in secretName",
            ),
        ]
        | None
    ) = None
    """The user data itself, up to 2048 characters."""
    secret_name: ObjectName | None = None
    """Secret in the VM's namespace with the user data under the key userdata."""


class Sysprep(ApiModel):
    """What a Windows guest does at its first boot."""

    secret_name: ObjectName
    """Secret in the VM's namespace with autounattend.xml, unattend.xml, or both."""


class Firmware(ApiModel):
    """How the guest boots."""

    rules = (
        Rule("!self.secureBoot || self.uefi", "secure boot is a part of UEFI: set uefi: true, or secureBoot: false"),
        Rule("!self.persistent || self.uefi", "only UEFI has variables to keep: set uefi: true, or persistent: false"),
    )

    uefi: bool = False
    """Boot by UEFI in place of BIOS. An installed guest boots only by the one that it was installed with."""
    secure_boot: bool = False
    """Let the guest boot only what is signed."""
    persistent: bool = False
    """Keep what the guest writes into its UEFI variables, in a claim of KubeVirt's: see docs/windows.md."""


class Guest(ApiModel):
    """What runs inside."""

    rules = (
        Rule("!has(self.cloudInit) || self.os != 'Windows'", "Windows knows no cloud-init: use sysprep instead"),
        Rule("!has(self.sysprep) || self.os != 'Linux'", "sysprep is for Windows: use cloudInit, or set os to Windows"),
    )

    os: Literal["Linux", "Windows"] = "Linux"
    """The operating system; decides the clock and the devices that suit it, unless a preference does."""
    firmware: Firmware | None = None
    """How the guest boots: by BIOS, or as its preference says, when absent."""
    tpm: Literal["None", "Ephemeral", "Persistent"] = "None"
    """A TPM 2.0, as Windows 11 asks for. Persistent: what the guest seals into it outlives a restart, in a claim of \
KubeVirt's (see docs/windows.md); an Ephemeral one is new at each start."""
    instance_type: InstanceTypeRef | None = None
    """A KubeVirt instance type that says how large the VM is, in place of cores and memory."""
    preference: PreferenceRef | None = None
    """A KubeVirt preference that says which devices suit the guest."""
    cloud_init: CloudInit | None = None
    """What a Linux guest does at its first boot."""
    sysprep: Sysprep | None = None
    """What a Windows guest does at its first boot."""
