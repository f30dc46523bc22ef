"""Mutation testing of the core: every small change of the rules has to be noticed by some test.

`make mutants` runs mutmut over `avance/core` in a copy of the sources below `build/`, with the tests of the core and
the scenarios, and prints the score of each module. `MUTANTS=avance.core.licence*` chooses what is mutated.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "mutants"
CONFIGURATION = """\
[mutmut]
source_paths=src
only_mutate=src/avance/core/*
also_copy=
    docs
    tests
pytest_add_cli_args_test_selection=
    tests/core
    tests/operator/test_status.py
    tests/scenarios
pytest_add_cli_args=
    -q
    -p
    no:randomly
    -p
    no:xdist
    -p
    no:cacheprovider
use_git_change_detection=False
timeout_multiplier=10
timeout_constant=5
"""
VERDICTS = {0: "survived", 5: "no test", 33: "no test", 34: "skipped", None: "not judged"}
"""mutmut's exit codes; every other one is a death: a test failed, hung or crashed."""
NOTICED = "killed"


def prepare() -> None:
    """A copy in the layout that mutmut knows; what it judged before is not judged again unless the code changed."""
    SITE.mkdir(parents=True, exist_ok=True)
    for source, target in (("operator/avance", "src/avance"), ("tests", "tests"), ("docs", "docs")):
        shutil.rmtree(SITE / target, ignore_errors=True)
        shutil.copytree(ROOT / source, SITE / target, ignore=shutil.ignore_patterns("__pycache__"))
    (SITE / "pytest.ini").write_text("[pytest]\npythonpath = .\nasyncio_mode = auto\ntimeout = 120\nmarkers = slow\n")
    (SITE / "setup.cfg").write_text(CONFIGURATION)


def verdicts() -> dict[str, Counter[str]]:
    """How many mutants of each module came to which end."""
    found: dict[str, Counter[str]] = {}
    for path in sorted((SITE / "mutants" / "src" / "avance" / "core").rglob("*.meta")):
        module = str(path.relative_to(SITE / "mutants" / "src").with_suffix("").with_suffix("")).replace(os.sep, ".")
        codes = json.loads(path.read_text())["exit_code_by_key"].values()
        found[module] = Counter(VERDICTS.get(code, NOTICED) for code in codes)
    return found


def tell(found: dict[str, Counter[str]]) -> None:
    total: Counter[str] = Counter()
    print(f"{'module':<44}{'mutants':>8}{'killed':>8}{'survived':>10}{'no test':>9}{'score':>8}")
    for module, counts in [*found.items(), ("all", total)]:
        total += counts if module != "all" else Counter()
        judged = counts[NOTICED] + counts["survived"] + counts["no test"]
        score = f"{counts[NOTICED] / judged:7.1%}" if judged else "      –"
        print(f"{module:<44}{judged:>8}{counts[NOTICED]:>8}{counts['survived']:>10}{counts['no test']:>9}{score:>8}")
    if total["not judged"]:
        print(f"{total['not judged']} mutants were not judged")


def main(which: list[str]) -> int:
    prepare()
    mutmut = Path(sys.executable).with_name("mutmut")
    command = ["nice", "-n", "19", mutmut, "run", "--max-children", os.environ.get("WORKERS", "1"), *which]
    status = subprocess.run(command, cwd=SITE, check=False).returncode
    tell(verdicts())
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
