"""Finds a server of a lab by name, so that a test can stop and continue it."""

import json

from e2e.controlplane import ControlPlane


def server_pid(plane: ControlPlane, name: str) -> int:
    """Process id of the control plane's server of that name."""
    record = json.loads((plane.state_dir / "processes.json").read_text())
    [pid] = (pid for pid, entry in record["processes"].items() if entry["name"] == name)
    return int(pid)
