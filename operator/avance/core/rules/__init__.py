"""The fault rules, one module a line of the fault table, in the order in which they are asked.

A rule is a function of the view and the time to the intents that it wants recorded. It never looks at what the other
rules want; `plan` sees to it that one node or VM has one thing done to it at a time, so an earlier rule wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from avance.core.intents import Intent, LookAgain
from avance.core.model import PairView
from avance.core.rules import (
    backup_fault,
    component_fault,
    disk_lost,
    eviction_request,
    failback,
    handover,
    health_comparison,
    returned_server,
    rolling_upgrade,
    server_crash,
    split_brain,
    vm_failure,
    vm_power,
)

Rule = Callable[[PairView, float], Iterator[Intent | LookAgain]]

RULES: Sequence[Rule] = (
    server_crash.fence_the_dead_server,
    server_crash.restart_its_vms_on_the_survivor,
    vm_failure.restart_the_vm_where_it_is,
    vm_failure.restart_the_hung_guest,
    vm_power.stop_what_shall_not_run,
    vm_power.start_what_shall_run,
    disk_lost.move_to_the_good_copy,
    eviction_request.move_what_somebody_evicts,
    handover.hand_over_its_vms,
    health_comparison.move_to_the_healthier_server,
    backup_fault.declare_down_below_the_threshold,
    split_brain.reboot_the_backup_of_a_split_pair,
    backup_fault.reboot_the_backup,
    returned_server.take_it_back,
    rolling_upgrade.take_the_next_step,
    failback.move_the_wave,
    failback.bring_its_vms_home,
    component_fault.call_home,
)
