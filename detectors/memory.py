"""Memory: MemoryProblem, by the kernel's error detection and correction (EDAC) below /sys."""

from __future__ import annotations

from pathlib import Path

from detectors.counters import increase
from detectors.finding import CantTellError, Fault
from detectors.host import Host

_EDAC = "sys/devices/system/edac/mc"
_DAY = 86400.0


def faults(host: Host) -> list[Fault]:
    """Modules with uncorrected errors, or with more corrected ones within a day than allowed. Raises CantTellError."""
    modules = [
        module
        for pattern in ("mc[0-9]*/dimm[0-9]*", "mc[0-9]*/rank[0-9]*")
        for module in sorted((host.root / _EDAC).glob(pattern))
        if (module / "dimm_ce_count").is_file()
    ] or sorted((host.root / _EDAC).glob("mc[0-9]*"))
    if not modules:
        raise CantTellError(
            "no memory controller reports errors to the kernel: load its EDAC driver (`modprobe` the *_edac module of "
            "this processor), and see that the firmware leaves errors to the system"
        )
    found = [fault for module in modules for fault in _faults_of(host, module)]
    unread = [module.name for module in modules if _counts(host, module) is None]
    if unread and not found:
        raise CantTellError(f"the error counts of {', '.join(unread)} cannot be read below /{_EDAC}")
    return found


def _faults_of(host: Host, module: Path) -> list[Fault]:
    counts = _counts(host, module)
    if counts is None:
        return []
    corrected, uncorrected = counts
    name = _name(host, module)
    if uncorrected:
        return [Fault(name, "uncorrectable-errors", "errors that could not be corrected since the node was started")]
    limit = host.settings.limits.corrected_errors_per_day
    if increase(host, f"memory-{module.parent.name}-{module.name}", corrected, _DAY) >= limit:
        return [Fault(name, "correctable-errors", f"{limit} or more corrected errors within a day")]
    return []


def _counts(host: Host, module: Path) -> tuple[int, int] | None:
    """Corrected and uncorrected errors since the node was started."""
    where = module.relative_to(host.root)
    prefix = "dimm_" if (module / "dimm_ce_count").is_file() else ""
    corrected, uncorrected = (host.number(f"{where}/{prefix}{kind}_count") for kind in ("ce", "ue"))
    return None if corrected is None or uncorrected is None else (corrected, uncorrected)


def _name(host: Host, module: Path) -> str:
    """The label on the board where the driver knows it, otherwise where the kernel counts it."""
    try:
        label = host.read(f"{module.relative_to(host.root)}/dimm_label")
    except OSError:
        label = ""
    return label or "-".join(part for part in module.parts[-2:] if part != "mc")
