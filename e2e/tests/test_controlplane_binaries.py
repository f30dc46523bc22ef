"""Which programs are taken from the machine, and what a build without network says."""

import os
import shutil
from pathlib import Path

import pytest

from e2e.controlplane.build import BuildError, ensure_program
from e2e.controlplane.installed import Choice, find_installed

VERSIONS = {
    "kube-apiserver": "Kubernetes v1.36.1",
    "kube-controller-manager": "Kubernetes v1.36.1",
    "kube-scheduler": "Kubernetes v1.36.1",
    "kubectl": "Client Version: v1.36.1",
    "etcd": "etcd Version: 3.6.8",
    "kwok": "kwok version v0.8.0 go1.26.0 (linux/amd64)",
    "helm": "v4.3.1+g0123456",
}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An otherwise empty PATH with a program for each version above."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name, version in VERSIONS.items():
        _install(directory, name, version)
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return directory


async def test_programs_on_path_that_fit_are_used(programs: Path) -> None:
    choices = await _choices()
    assert {name: choice.path for name, choice in choices.items()} == {name: programs / name for name in VERSIONS}


async def test_kubebuilder_assets_go_first(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    _install(assets, "etcd", "etcd Version: 3.6.9")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    choices = await _choices()
    assert choices["etcd"].path == assets / "etcd"
    assert choices["kwok"].path == programs / "kwok"


@pytest.mark.parametrize(
    ("name", "version", "why"),
    [
        ("kubectl", "Client Version: v1.32.4-dispatcher", "tells no release version"),
        ("helm", "v3.19.0+g0123456", "older than v4.1"),
        ("etcd", "etcd: unknown option", "tells no release version"),
        ("kube-apiserver", "Kubernetes v1.33.9", "older than v1.34"),
    ],
)
async def test_a_program_that_does_not_fit_is_passed_over(programs: Path, name: str, version: str, why: str) -> None:
    _install(programs, name, version)
    choice = (await _choices())[name]
    assert choice.path is None
    assert why in choice.why


async def test_a_complete_set_of_another_minor_is_used(programs: Path) -> None:
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"):
        _install(programs, name, VERSIONS[name].replace("1.36.1", "1.37.0"))
    assert (await _choices())["kube-scheduler"].path == programs / "kube-scheduler"


async def test_minors_are_never_mixed(programs: Path) -> None:
    _install(programs, "kube-apiserver", "Kubernetes v1.37.0")
    choices = await _choices()
    assert choices["kube-apiserver"].path is None
    assert "the other Kubernetes programs are v1.36" in choices["kube-apiserver"].why
    assert choices["kube-scheduler"].path == programs / "kube-scheduler"


@pytest.mark.skipif(shutil.which("go") is None, reason="without Go on PATH this would install a toolchain")
async def test_a_build_without_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = Path(str(shutil.which("go")))
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    if shutil.which("kwok"):
        pytest.skip("kwok is installed on this machine: nothing would be built")
    monkeypatch.setenv("AVANCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("GOPROXY", "off")
    with pytest.raises(BuildError, match=r"(?s)cannot build kwok .* needs a Go module proxy \(GOPROXY\)"):
        await ensure_program("kwok")
    assert not any(path.is_file() and os.access(path, os.X_OK) for path in (tmp_path / "cache").rglob("*"))


async def _choices() -> dict[str, Choice]:
    return {choice.program.name: choice for choice in await find_installed()}


def _install(directory: Path, name: str, version: str) -> None:
    program = directory / name
    program.write_text(f"#!/bin/sh\necho '{version}'\n")
    program.chmod(0o755)
