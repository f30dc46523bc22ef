"""A simulated pair on a virtual clock, driven by the very rules that drive real ones.

    world (what physically is) <──> cluster, kubevirt (what the API shows) ──> operator (the rules' shell) ──> back

It proves rules, not timing: a tick is a quarter of a second, and the durations in it are typical, not measured. It
knows the core and nothing else of the product.
"""

from avance.simulator import maintenance_events as maintenance_events  # their sentences are events too
from avance.simulator import pair_events as pair_events
from avance.simulator import upgrade_events as upgrade_events
from avance.simulator.cli import simulate

__all__ = ["simulate"]
