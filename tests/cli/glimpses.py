"""A look at a pair as a command gets it: the view, and the status that the operator would have written of it."""

from typing import Any

from avance.api.pair import AvancePair
from avance.api.protected_vm import ProtectedVM
from avance.core.model import PairView
from avance.core.report import report
from avance.operator.glimpse import Glimpse
from avance.operator.status import pair_status, vm_status
from tests.core.views import NOW

SMALL = {
    "pairRef": {"name": "pair"},
    "cores": 1,
    "memory": "1Gi",
    "disks": [{"name": "root", "claim": {"name": "root"}}],
}


def seen(view: PairView, nobody_acts: str = "", would: tuple[str, ...] = (), now: float = NOW, **spec: Any) -> Glimpse:
    told = report(view, now)
    pair = {
        "metadata": {"name": view.name, "uid": "uid-pair"},
        "spec": {"nodeSelector": {"avance.dev/pair": view.name}, **spec},
        "status": pair_status({}, 1, view, told, now, would),
    }
    return Glimpse(
        pair=AvancePair.parse(pair),
        vms={
            vm.key: ProtectedVM.parse(
                {
                    "metadata": dict(zip(("namespace", "name"), vm.key.split("/"), strict=True)),
                    "spec": SMALL,
                    "status": vm_status({}, 1, vm, now),
                }
            )
            for vm in told.vms
        },
        view=view,
        seen_at=now,
        nobody_acts=nobody_acts,
    )
