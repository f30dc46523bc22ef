"""A KubeVirt stand-in for a real control plane: its API, admission, subresources, controllers and node side, without
QEMU.

Nothing outside this package knows that it is one. It fails, hangs, refuses and drops what the real KubeVirt does,
and keeps a ledger of the guests that physically run, in which a second running instance of a VM shows whoever
caused it.
"""

from e2e.kubevirt.configuration import Timings
from e2e.kubevirt.faults import FaultError, Faults
from e2e.kubevirt.ledger import Ledger, Run, Violation
from e2e.kubevirt.stand_in import KubeVirt

__all__ = ["FaultError", "Faults", "KubeVirt", "Ledger", "Run", "Timings", "Violation"]
