"""The lab: a real control plane, simulated hardware, a KubeVirt stand-in, and the tests that run on them."""
