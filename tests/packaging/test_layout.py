"""Properties of the repository itself: what would otherwise be noticed only on somebody else's machine."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_operator_is_a_source_root_and_not_a_package() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists(), "it would shadow Python's own operator module"


def test_the_version_is_the_same_everywhere() -> None:
    version = PROJECT["project"]["version"]
    chart = yaml.safe_load((ROOT / "helm" / "avance" / "Chart.yaml").read_text())
    assert chart["appVersion"] == version
    assert f"ARG VERSION={version}\n" in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_host(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-", re.sub(r"^\s+--hash=.*$", "", text, flags=re.MULTILINE), re.MULTILINE), "no options"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_pins_and_hashes_everything(lock: Path) -> None:
    logical_lines = lock.read_text().replace("\\\n", " ").splitlines()
    requirements = [line for line in logical_lines if line and not line.lstrip().startswith("#")]
    assert len(requirements) > 20
    for line in requirements:
        assert re.match(r"^[a-z0-9._-]+(\[[a-z,]+\])?==[^ ]+ ", line), line[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), line[:80]


def test_the_locks_hold_what_the_project_asks_for() -> None:
    def locked(name: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements" / name).read_text(), re.MULTILINE))

    def asked(requirements: list[str]) -> set[str]:
        return {re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in requirements}

    runtime = asked(PROJECT["project"]["dependencies"])
    development = asked(PROJECT["project"]["optional-dependencies"]["dev"])
    assert runtime <= locked("operator.txt"), "run `make lock`"
    assert runtime | development <= locked("dev.txt"), "run `make lock`"
    assert not (development - runtime) & locked("operator.txt") - {"cryptography"}, "the image holds no test tools"


def test_no_file_names_a_path_of_a_machine() -> None:
    home_of_root = re.compile(rb"(?<![\w.])/" + rb"root/")
    for path in tracked_files():
        content = path.read_bytes()
        assert bytes(ROOT) not in content, path
        assert not home_of_root.search(content), path


MODULES = sorted(
    path for root in ("operator/avance", "e2e", "monitoring", "tests") for path in (ROOT / root).rglob("*.py")
)
LONGEST_MODULE = 400
LONGEST_FUNCTION = 40


def test_modules_and_functions_can_be_read_at_a_glance() -> None:
    too_long = []
    for path in MODULES:
        text = path.read_text()
        if len(text.splitlines()) > LONGEST_MODULE:
            too_long.append(f"{path}: {len(text.splitlines())} lines, {LONGEST_MODULE} are allowed")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                lines = node.end_lineno - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    too_long.append(f"{path}:{node.lineno} {node.name}: {lines} lines, {LONGEST_FUNCTION} are allowed")
    assert not too_long, "\n".join(too_long)
