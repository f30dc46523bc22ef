"""The API of group avance.dev: what users write and what the operator answers, as typed, immutable models.

The models are the single source: `python -m avance.api.crd` turns them into the CRDs and into the API reference.
Nothing here talks to Kubernetes.
"""

from avance.api.action import AvanceAction
from avance.api.base import GROUP, VERSION
from avance.api.pair import AvancePair
from avance.api.protected_vm import ProtectedVM

__all__ = ["GROUP", "KINDS", "VERSION", "AvanceAction", "AvancePair", "ProtectedVM"]

KINDS = (AvancePair, ProtectedVM, AvanceAction)
