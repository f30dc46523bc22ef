"""Where a lab keeps its state, and how other processes find a lab that runs: `lab.json` in its state directory."""

import json
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from e2e.controlplane.build import cache_directory
from e2e.controlplane.processes import is_running

_LONGEST_SOCKET_PATH = 107  # bytes, a limit of Unix sockets


class LabError(RuntimeError):
    """The lab can't do what was asked; the message says what to do instead."""


@dataclass
class LabRecord:
    """What a daemon tells about its lab. `phase` is what it is doing, and `ready` once everything is up."""

    name: str
    pid: int
    started: str
    phase: str = "starting"
    error: str = ""
    kubeconfig: str = ""
    kubectl: str = ""
    bmcs: dict[str, str] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Whether the daemon that wrote this still runs."""
        return is_running(self.pid, self.started)

    def write(self, directory: Path) -> None:
        """Replaces the record on disk in one step."""
        partial = directory / "lab.json.partial"
        partial.write_text(json.dumps(asdict(self), indent=1))
        partial.rename(directory / "lab.json")


def labs_directory() -> Path:
    """The parent of all labs' state directories."""
    return cache_directory() / "labs"


def lab_directory(name: str) -> Path:
    """The state directory of the lab `name`. Raises LabError for a name or place that can't be used."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
        raise LabError(f"lab name {name!r}: use up to 31 lower-case letters, digits and hyphens")
    directory = labs_directory() / name
    if len(str(socket_path(directory)).encode()) > _LONGEST_SOCKET_PATH:
        raise LabError(f"{directory} is too long a path for a Unix socket: set AVANCE_CACHE to a shorter directory")
    return directory


def socket_path(directory: Path) -> Path:
    """The Unix socket on which the lab's daemon listens."""
    return directory / "socket"


def read_record(directory: Path) -> LabRecord | None:
    """What the last daemon of that directory told, whether it still runs or not."""
    path = directory / "lab.json"
    if not path.exists():
        return None
    # A lab that was brought up by an earlier version may have told more than we ask for.
    known = {field.name for field in fields(LabRecord)}
    return LabRecord(**{name: value for name, value in json.loads(path.read_text()).items() if name in known})


def all_records() -> list[LabRecord]:
    """The records of all labs that were ever up and not removed, by name."""
    records = (read_record(path.parent) for path in sorted(labs_directory().glob("*/lab.json")))
    return [record for record in records if record is not None]
