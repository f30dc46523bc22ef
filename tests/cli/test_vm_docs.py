"""docs/windows.md and docs/adopting.md: what they tell people to type is understood, and makes what the API takes."""

import re
import shlex
from pathlib import Path

import pytest

from avance.api.protected_vm import ProtectedVM
from avance.cli.command_line import parser
from avance.cli.vm_manifest import protected_vm

DOCS = Path(__file__).parents[2] / "docs"
TYPED = [
    line[2:]
    for page in ("windows", "adopting")
    for block in re.findall(r"^```console\n(.*?)^```$", (DOCS / f"{page}.md").read_text(), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ avance ")
]


@pytest.mark.parametrize("command", TYPED)
def test_what_is_to_be_typed_makes_what_the_api_takes(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unattend.xml").write_text("<unattend/>")
    chosen = parser().parse_args(shlex.split(command.replace("<registry>", "registry.example"))[1:])
    if chosen.verb == "create":
        made = protected_vm(chosen, "shop", "")[-1]
        ProtectedVM.parse({**made, "metadata": {**made["metadata"], "uid": "u", "resourceVersion": "1"}})
