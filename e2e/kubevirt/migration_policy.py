"""MigrationPolicies: cluster-wide overrides of migration options, chosen by labels of the VMI and of its namespace."""

from typing import Any

from e2e.kubevirt.api import NAMESPACE, POLICY, Object, key_of, labels_of
from e2e.kubevirt.store import Stores

_OVERRIDABLE = (
    "allowAutoConverge",
    "bandwidthPerMigration",
    "completionTimeoutPerGiB",
    "maxDowntimeMs",
    "allowPostCopy",
    "allowWorkloadDisruption",
)


class MigrationPolicies:
    """The policies as they are now."""

    def __init__(self, stores: Stores) -> None:
        self._policies, self._namespaces = stores[POLICY], stores[NAMESPACE]

    def options(self, vmi: Object, defaults: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """The effective options for a VMI, and the name of the policy that shaped them (empty when none did)."""
        options = dict(defaults)
        policy = self._match(vmi)
        if policy is not None:
            spec = policy["spec"]
            options.update({name: spec[name] for name in _OVERRIDABLE if name in spec})
            if spec.get("allowPostCopy") and "allowWorkloadDisruption" not in spec:
                options["allowWorkloadDisruption"] = True
        return options, policy["metadata"]["name"] if policy else ""

    def _match(self, vmi: Object) -> Object | None:
        """The policy with the most matching labels; of equals the first by name."""
        namespace = self._namespaces.get(("", key_of(vmi)[0])) or {"metadata": {}}
        matching: list[tuple[int, str, Object]] = []
        for policy in self._policies:
            selectors = policy["spec"].get("selectors") or {}
            wanted_vmi = selectors.get("virtualMachineInstanceSelector") or {}
            wanted_namespace = selectors.get("namespaceSelector") or {}
            if not wanted_vmi and not wanted_namespace:
                continue
            if (
                wanted_vmi.items() <= labels_of(vmi).items()
                and wanted_namespace.items() <= labels_of(namespace).items()
            ):
                matching.append((-len(wanted_vmi) - len(wanted_namespace), policy["metadata"]["name"], policy))
        return min(matching, key=lambda entry: entry[:2])[2] if matching else None
