"""Writes the dashboards of the chart, and the lists in docs/monitoring.md; with --check it only compares."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from monitoring.pages import PAGES
from monitoring.reference import PAGE, filled_in

DASHBOARDS = Path(__file__).parents[1] / "helm" / "avance" / "files" / "dashboards"


def rendered() -> dict[Path, str]:
    """The files, and what has to be in them."""
    dashboards = {DASHBOARDS / f"{name}.json": json.dumps(page, indent=1) + "\n" for name, page in PAGES.items()}
    return {**dashboards, PAGE: filled_in(PAGE.read_text())}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m monitoring", description="Write dashboards and lists.")
    parser.add_argument("--check", action="store_true", help="fail if a file is not as it would be written")
    check = parser.parse_args().check
    stale = [path for path, text in rendered().items() if not path.exists() or path.read_text() != text]
    if check and stale:
        print(f"run `make monitoring`: {', '.join(path.name for path in stale)} would change", file=sys.stderr)
        return 1
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rendered()[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
