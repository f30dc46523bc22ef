"""A KubeVirt stand-in for a real control plane: its API, admission, subresources, controllers and node side, no QEMU.

Nothing outside this package knows that it is one. It fails, hangs, refuses and drops what the real KubeVirt does,
and keeps a ledger of the guests that physically run, in which a second running instance of a VM shows whoever
caused it.

Limits: one virt-api and one virt-controller, in this process; no images, volumes, instance types, snapshots or
events; schemas are open, so types are not checked and unknown fields are kept; every guest has an agent; CPU hotplug
asks for a restart; post-copy can be configured but never happens.
"""

from e2e.kubevirt.configuration import Timings
from e2e.kubevirt.faults import FaultError, Faults
from e2e.kubevirt.ledger import Ledger, Run, Violation
from e2e.kubevirt.stand_in import KubeVirt

__all__ = ["FaultError", "Faults", "KubeVirt", "Ledger", "Run", "Timings", "Violation"]
