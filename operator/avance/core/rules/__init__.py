"""The fault rules, one module a line of the fault table, in the order in which they are asked.

A rule is a function of the view and the time to the intents that it wants recorded. It never looks at what the other
rules want; `plan` sees to it that one node or VM has one thing done to it at a time, so an earlier rule wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from avance.core.intents import Intent, LookAgain
from avance.core.model import PairView
from avance.core.rules import (
    component_fault,
    eviction_request,
    health_comparison,
    returned_server,
    server_crash,
    vm_failure,
    vm_power,
)

Rule = Callable[[PairView, float], Iterator[Intent | LookAgain]]

RULES: Sequence[Rule] = (
    server_crash.fence_the_dead_server,
    server_crash.restart_its_vms_on_the_survivor,
    vm_failure.restart_the_vm_where_it_is,
    vm_power.stop_what_shall_not_run,
    vm_power.start_what_shall_run,
    eviction_request.move_what_somebody_evicts,
    health_comparison.move_to_the_healthier_server,
    returned_server.take_it_back,
    component_fault.call_home,
)
