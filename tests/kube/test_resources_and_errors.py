"""Paths of objects, and answers of the API server told apart."""

from __future__ import annotations

import json

import pytest

from avance.kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unavailable,
    error_from_response,
)
from avance.kube.resources import AVANCE_PAIRS, LEASES, NODES, PODS, PROTECTED_VMS, Resource


@pytest.mark.parametrize(
    ("resource", "address", "path"),
    [
        (PODS, (), "/api/v1/pods"),
        (PODS, ("ns",), "/api/v1/namespaces/ns/pods"),
        (PODS, ("ns", "a", "eviction"), "/api/v1/namespaces/ns/pods/a/eviction"),
        (NODES, ("", "node-a", "status"), "/api/v1/nodes/node-a/status"),
        (LEASES, ("ns", "a"), "/apis/coordination.k8s.io/v1/namespaces/ns/leases/a"),
        (AVANCE_PAIRS, ("", "pair"), "/apis/avance.dev/v1alpha1/avancepairs/pair"),
        (NODES, ("", "../secrets/x"), "/api/v1/nodes/..%2Fsecrets%2Fx"),
    ],
)
def test_paths(resource: Resource, address: tuple[str, ...], path: str) -> None:
    assert resource.path(*address) == path


def test_a_namespace_that_does_not_fit_the_kind() -> None:
    with pytest.raises(ValueError, match="Node is cluster-scoped"):
        NODES.path("ns", "node-a")
    with pytest.raises(ValueError, match="ProtectedVM 'vm' needs a namespace"):
        PROTECTED_VMS.path(name="vm")


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (400, "BadRequest", Invalid),
        (401, "Unauthorized", Forbidden),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "Conflict", Conflict),
        (409, "AlreadyExists", AlreadyExists),
        (410, "Expired", ApiError),
        (422, "Invalid", Invalid),
        (429, "TooManyRequests", Unavailable),
        (500, "InternalError", Unavailable),
        (504, "Timeout", Unavailable),
    ],
)
def test_classes_of_errors(status: int, reason: str, expected: type[ApiError]) -> None:
    body = json.dumps({"kind": "Status", "reason": reason, "message": "this is why"}).encode()
    error = error_from_response(status, "HTTP reason", body)
    assert type(error) is expected
    assert (error.status, error.reason, error.message) == (status, reason, "this is why")


@pytest.mark.parametrize("body", [b"plain text\n", b'"plain text"', b""])
def test_an_answer_that_is_no_status_object(body: bytes) -> None:
    error = error_from_response(503, "Service Unavailable", body)
    assert isinstance(error, Unavailable)
    assert error.message in ("plain text", '"plain text"', "Service Unavailable")
