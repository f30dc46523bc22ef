"""What a rolling upgrade waits for on each node, beside a person's word."""

from typing import Annotated

from pydantic import Field

from avance.api.base import ApiModel, Rule

Version = Annotated[str, Field(min_length=1, max_length=253)]


class Versions(ApiModel):
    """Versions in Node.status.nodeInfo that a node has to report, all of them, once it is Ready again. `*` stands for
    any other one than before the upgrade began.
    """

    rules = (
        Rule(
            "has(self.kubeletVersion) || has(self.kernelVersion) || has(self.osImage) || "
            "has(self.containerRuntimeVersion)",
            "say what has to change: kubeletVersion, kernelVersion, osImage or containerRuntimeVersion",
        ),
    )

    kubelet_version: Version | None = None
    """Such as v1.37.0."""
    kernel_version: Version | None = None
    """Such as 6.12.9."""
    os_image: Version | None = None
    """Such as Debian GNU/Linux 13 (trixie)."""
    container_runtime_version: Version | None = None
    """Such as containerd://2.1.0."""


class Upgrade(ApiModel):
    """What tells a RollingUpgrade that the work on a node is done."""

    versions: Versions
    """The versions that the node has to report."""
