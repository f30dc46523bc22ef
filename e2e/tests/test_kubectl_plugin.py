"""The command line as a plugin of the real kubectl."""

import asyncio
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from e2e.controlplane import ensure_binaries

SCRIPTS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]


def kubectl(tmp_path: Path, *arguments: str) -> str:
    """What kubectl prints, with what the wheel installs on the path."""
    for name in ("kubectl-avance", "kubectl_complete-avance"):
        module, _, function = SCRIPTS[name].partition(":")
        program = tmp_path / name
        program.write_text(f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n")
        program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    command = [str(asyncio.run(ensure_binaries()).kubectl), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_it_is_a_plugin(tmp_path: Path) -> None:
    assert "usage: kubectl avance status" in kubectl(tmp_path, "avance", "status", "--help")


def test_kubectl_completes_its_commands_options_and_values(tmp_path: Path) -> None:
    """`kubectl __complete` is what the shell's own script for kubectl runs at each Tab."""
    offered = kubectl(tmp_path, "__complete", "avance", "").splitlines()
    assert {"status", "switchover", "what-if"} <= {line.partition("\t")[0] for line in offered}
    assert "--watch" in kubectl(tmp_path, "__complete", "avance", "status", "--wat")
    assert kubectl(tmp_path, "__complete", "avance", "status", "-o", "").splitlines()[:2] == ["text", "json"]
