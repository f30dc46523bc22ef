"""The lab: a real control plane, simulated hardware and a KubeVirt stand-in on one machine, and the tests that run there."""
