"""avance: two ordinary servers that run KubeVirt VMs and look like one server that does not fail."""

from importlib.metadata import version

__version__ = version("avance")
