"""A real Kubernetes control plane as plain processes on loopback: binaries, certificates, start, stop.

Knows nothing of the product, of nodes or of KubeVirt.
"""

from e2e.controlplane.build import Binaries, ensure_binaries
from e2e.controlplane.client import Api, ApiError
from e2e.controlplane.cluster import ControlPlane
from e2e.controlplane.processes import ServerProcess, free_port, wait_until

__all__ = ["Api", "ApiError", "Binaries", "ControlPlane", "ServerProcess", "ensure_binaries", "free_port", "wait_until"]
