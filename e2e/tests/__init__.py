"""Tests on the lab: real control plane, simulated hardware, KubeVirt stand-in."""
