"""Composes the lab: control plane, hardware, KubeVirt stand-in, the chart and the operator; and the `lab` command."""

from e2e.lab.lab import Lab, LabError, LabOptions

__all__ = ["Lab", "LabError", "LabOptions"]
