"""What the image would hold, checked as far as that goes without a container engine."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def run(*command: str | Path, **environment: str) -> str:
    """Runs it to its end. Raises AssertionError with everything that it printed."""
    completed = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def build_context(target: Path) -> Path:
    """Copies what the Dockerfile's first stage copies, and nothing else."""
    sources = [
        word for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]
    ]
    assert sources
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(sources) == sorted(allowed), "the Dockerfile and .dockerignore disagree"
    for source in sources:
        (target / source).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target / source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / source, target / source)
    return target


def build_wheel(tmp_path: Path, python: str | Path = sys.executable) -> Path:
    """Builds it with the setuptools of that Python's environment."""
    context = build_context(tmp_path / "context")
    run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation",
        "--wheel-dir", tmp_path / "wheel", context)  # fmt: skip
    return next((tmp_path / "wheel").glob("*.whl"))


def test_the_dockerfile_is_clean() -> None:
    run(Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile")


def test_the_image_runs_as_nobody_in_particular() -> None:
    final_stage = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    assert "\nUSER 65532:65532\n" in final_stage
    assert '\nENTRYPOINT ["avance"]\nCMD ["operator"]\n' in final_stage


def test_the_wheel_holds_every_module(tmp_path: Path) -> None:
    modules = {str(path.relative_to(ROOT / "operator")) for path in (ROOT / "operator" / "avance").rglob("*.py")}
    with zipfile.ZipFile(build_wheel(tmp_path)) as wheel:
        packed = {name for name in wheel.namelist() if name.endswith(".py")}
    assert packed == modules, "a directory without __init__.py is not packed"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_locked_dependencies_are_all_that_the_command_needs(tmp_path: Path) -> None:
    """The steps of the Dockerfile, in a fresh environment; then the entry point, as the kubelet would run it."""
    run(sys.executable, "-m", "venv", tmp_path / "avance")
    binaries = tmp_path / "avance" / "bin"
    run(binaries / "pip", "install", "--quiet", "--no-compile", "--only-binary", ":all:", "--require-hashes",
        "-r", ROOT / "requirements" / "operator.txt")  # fmt: skip
    wheel = build_wheel(tmp_path, binaries / "python")
    run(binaries / "pip", "install", "--quiet", "--no-compile", "--no-deps", "--no-index", wheel)
    run(binaries / "pip", "check")
    run(binaries / "python", "-m", "pip", "uninstall", "--quiet", "--yes", "pip")
    assert "operator" in run(binaries / "avance", "--help", PYTHONDONTWRITEBYTECODE="1")
