"""A stand-in for KubeVirt's Containerized Data Importer: DataVolumes that are imported, cloned, refused, or that hang.

    cdi = Cdi(control_plane)
    await cdi.start()
    cdi.images["https://images.example/new.qcow2"] = Image(gib=10, seconds=2)
    await cdi.stop()

The claims that it makes are real ones, bound by the real kube-controller-manager to volumes that hold nothing.
"""

from e2e.cdi.images import Image
from e2e.cdi.stand_in import Cdi

__all__ = ["Cdi", "Image"]
