"""Adapter to the Kubernetes API: plain dictionaries in and out, no knowledge of pairs or VMs."""
