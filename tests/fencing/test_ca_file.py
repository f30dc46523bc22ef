"""Certificates in files: none is left behind, whatever becomes of the agent or the process."""

import gc
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from avance.fencing.ca_file import CaFile


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_file_holds_the_certificates_for_nobody_else_until_it_is_removed(temporary: Path) -> None:
    file = CaFile("PEM")
    assert Path(file.path).read_text() == "PEM"
    assert Path(file.path).stat().st_mode & 0o777 == 0o600
    file.remove()
    file.remove()
    assert list(temporary.iterdir()) == []


def test_it_goes_with_whoever_has_it(temporary: Path) -> None:
    file = CaFile("PEM")
    assert len(list(temporary.iterdir())) == 1
    del file
    gc.collect()
    assert list(temporary.iterdir()) == []


def ended(how: str, temporary: Path) -> None:
    """A process that has a file, and ends."""
    code = f"import os; from avance.fencing.ca_file import CaFile; kept = CaFile('PEM'); {how}"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(temporary)}, check=True)


def test_it_goes_with_the_process(temporary: Path) -> None:
    ended("pass", temporary)
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_leaves_goes_with_the_next_one_of_its_id(temporary: Path) -> None:
    """As in a container that is started again; files of processes that live are left alone."""
    ended("os._exit(0)", temporary)
    (left,) = temporary.iterdir()
    code = textwrap.dedent(f"""
        import os
        os.getpid = lambda: {left.name.split("-")[2]}
        from avance.fencing.ca_file import CaFile
        first, second = CaFile("A"), CaFile("B")
        print(*sorted(open(each.path).read() for each in (first, second)), len(os.listdir({str(temporary)!r})))
    """)
    other = temporary / "avance-ca-1-x.crt"
    other.write_text("of another process")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(temporary)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["A", "B", "3"]
    assert list(temporary.iterdir()) == [other]
