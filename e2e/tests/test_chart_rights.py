"""Least privilege: the chart grants what the program asks for, and nothing else.

What it asks for is read from its source, call by call, and from the audit log of a lab in which it did its work: what
the log has and the source does not tell of would be a call that this test cannot read.
"""

import ast
import asyncio
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import avance.operator
from avance.kube.client import Kube
from avance.kube.resources import (
    AVANCE_ACTIONS,
    AVANCE_PAIRS,
    CLUSTER_INSTANCE_TYPES,
    CONTROLLER_REVISIONS,
    INSTANCE_TYPES,
    LEASES,
    PROTECTED_VMS,
    Resource,
)
from avance.operator.store import WATCHED
from e2e.controlplane import ensure_binaries
from e2e.tests.chart import Helm, of_kind
from e2e.tests.operator_lab import Site, fresh_site, one_site_a_session  # noqa: F401
from e2e.tests.operator_records import BACKUP

pytestmark = pytest.mark.timeout(300)
PACKAGE = Path(avance.operator.__file__).parents[1]
VERBS = {
    "get": {"get"},
    "list": {"list"},
    "pages": {"list"},
    "watch": {"watch"},
    "create": {"create"},
    "replace": {"update"},
    "patch_merge": {"patch"},
    "patch_json": {"patch"},
    "apply": {"create", "patch"},
    "delete": {"delete"},
}
OF_A_PERSON = {"avance.operator.glimpse", "avance.operator.inspection", "avance.operator.bundle"}
OF_A_PERSONS_CLIENT = {"logs"}
"""The command line runs with the rights of whoever calls it."""
NAMED_AT_RUN_TIME = {
    ("avance.operator.resync", "pages"): WATCHED,
    ("avance.operator.instance_types", "get"): (CLUSTER_INSTANCE_TYPES, INSTANCE_TYPES, CONTROLLER_REVISIONS),
    ("avance.operator.orphans", "patch_merge"): (PROTECTED_VMS, AVANCE_ACTIONS),
    ("avance.operator.status_writer", "patch_merge"): (AVANCE_PAIRS, PROTECTED_VMS),
}
"""Calls whose kind is a variable, and what it can be."""
OF_KOPF = {("apiextensions.k8s.io", "customresourcedefinitions", verb) for verb in ("list", "watch")}
VERBS_OF_KUBEVIRT = {
    ("subresources.kubevirt.io", f"virtualmachines/{verb}", "update") for verb in ("start", "stop", "restart")
}
OF_EVERYBODY = {"selfsubjectreviews", "selfsubjectaccessreviews"}

Right = tuple[str, str, str]
"""Group, resource with its subresource, verb."""


def right(resource: Resource, verb: str, subresource: str = "") -> Right:
    return resource.group, f"{resource.plural}/{subresource}" if subresource else resource.plural, verb


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a method of the client."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name.lstrip("_") == "kube":
                yield node.func.attr, node


def rights_of_the_source() -> set[Right]:
    found = set(OF_KOPF)
    found |= {right(resource, verb) for resource in WATCHED if resource is not LEASES for verb in ("list", "watch")}
    for path in sorted(PACKAGE.rglob("*.py")):
        module = "avance." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if module in OF_A_PERSON or module.startswith("avance.cli.") or module.startswith("avance.kube.client"):
            continue
        for method, call in calls(ast.parse(path.read_text())):
            if method == "subresource_put":
                found |= VERBS_OF_KUBEVIRT
            elif method in VERBS:
                found |= set(rights_of_a_call(module, method, call))
            else:
                assert method in {"close", "connect", "whoami", "discover"}, f"{module}: what right does {method} need?"
    return found


def rights_of_a_call(module: str, method: str, call: ast.Call) -> Iterator[Right]:
    first = call.args[0]
    assert isinstance(first, ast.Name), f"{module}: {ast.unparse(call)}"
    kind = getattr(importlib.import_module(module), first.id, None)
    kinds = (kind,) if isinstance(kind, Resource) else NAMED_AT_RUN_TIME[module, method]
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    subresource = named.get("subresource")
    assert subresource is None or isinstance(subresource, ast.Constant)
    for resource in kinds:
        for verb in VERBS[method]:
            yield right(resource, verb, str(subresource.value) if subresource else "")


def rights_of_the_chart(objects: list[dict[str, Any]]) -> set[Right]:
    people = {"avance-view", "avance-edit", "avance-admin", "avance-attest", "avance-cli"}
    return {
        (group, resource, verb)
        for role in of_kind(objects, "ClusterRole") + of_kind(objects, "Role")
        if role["metadata"]["name"] not in people
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def rights_in_the_log(path: Path) -> tuple[set[Right], list[str]]:
    """What was asked for, and what of it was refused."""
    asked, refused = set(), []
    for line in path.read_text().splitlines():
        event = json.loads(line)
        about = event.get("objectRef") or {}
        if not about.get("resource") or about["resource"] in OF_EVERYBODY:
            continue
        subresource = f"/{about['subresource']}" if about.get("subresource") else ""
        asked.add((about.get("apiGroup", ""), about["resource"] + subresource, event["verb"]))
        if event.get("responseStatus", {}).get("code") == 403:
            refused.append(f"{event['verb']} {event['requestURI']}")
    return asked, refused


def test_the_client_has_no_other_methods() -> None:
    methods = {name for name in vars(Kube) if not name.startswith("_")}
    assert methods - OF_A_PERSONS_CLIENT == {*VERBS, "subresource_put", "close", "connect", "whoami", "discover"}


def test_the_chart_grants_what_the_source_asks_for(tmp_path: Path) -> None:
    helm = Helm(asyncio.run(ensure_binaries()).helm, tmp_path)
    objects = helm.template("--set", "rbac.kubevirtSettings=true,storage.provider=Longhorn")
    granted, used = rights_of_the_chart(objects), rights_of_the_source()
    assert granted - used == set(), "granted and never asked for"
    assert used - granted == set(), "asked for and not granted"


async def test_what_a_working_operator_asks_for_is_in_its_source(site: Site) -> None:
    """VMs are started, moved, restarted, lose their server, and are shut down; nothing is refused."""
    log = site.lab.control_plane.audit_log
    await site.running_vms("web")
    await site.ask_for("Migrate", "web")
    await site.vms_run_on(BACKUP, "web")
    site.faults.crash_guest("default", "web")
    await site.action("Restart", "web")
    await site.vms_run_on(BACKUP, "web")
    await site.hardware.power_cut(BACKUP)
    await site.action("ColdRestart", "web", within=60)
    await site.whole(within=90)
    await site.edit_vm("web", running=False)
    await site.action("Stop", "web")
    asked, refused = rights_in_the_log(log)
    assert refused == []
    assert asked <= rights_of_the_source()
    assert {verb for _, _, verb in asked} >= {"get", "list", "watch", "create", "update", "patch", "delete"}
    assert right(PROTECTED_VMS, "watch") in asked
