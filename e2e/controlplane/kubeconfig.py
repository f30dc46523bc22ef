"""Kubeconfig files: one cluster, one user, one context."""

from pathlib import Path
from typing import Any

import yaml

from e2e.controlplane.client import Api

TOKEN_VALIDITY_S = 24 * 3600


def write_kubeconfig(path: Path, cluster: dict[str, Any], user: str, credentials: dict[str, Any]) -> Path:
    """Writes a kubeconfig, readable by its owner alone, and returns its path."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
        "current-context": "lab",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def cluster_of(path: Path) -> dict[str, Any]:
    """The cluster entry of a kubeconfig's current context, with its certificate authority's path made absolute."""
    content = yaml.safe_load(path.read_text())
    contexts = {each["name"]: each["context"] for each in content["contexts"]}
    clusters = {each["name"]: each["cluster"] for each in content["clusters"]}
    cluster: dict[str, Any] = clusters[contexts[content["current-context"]]["cluster"]]
    if "certificate-authority" in cluster:
        cluster["certificate-authority"] = str(path.parent.resolve() / cluster["certificate-authority"])
    return cluster


async def service_account_token(api: Api, namespace: str, name: str) -> dict[str, str]:
    """Kubeconfig credentials of an existing ServiceAccount, valid for 24 h. Raises ApiError."""
    answer = await api.post(
        f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
        {"spec": {"expirationSeconds": TOKEN_VALIDITY_S}},
    )
    return {"token": answer["status"]["token"]}
