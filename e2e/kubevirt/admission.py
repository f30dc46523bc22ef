"""virt-api's webhooks: reviews by path, each answered from the object, its old version, the user, and the watched
state.
"""

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from e2e.kubevirt.api import KUBEVIRT_USERS, VMI, VMIM, Object, is_final, key_of, labels_of
from e2e.kubevirt.conditions import condition
from e2e.kubevirt.configuration import Configuration
from e2e.kubevirt.defaults import default_migration, default_vm, default_vmi, guard_vmi_status, json_patch
from e2e.kubevirt.instance_types import conflicts
from e2e.kubevirt.store import Stores
from e2e.kubevirt.validation import vm_errors, vmi_errors

_RESERVED = "kubevirt.io/"


@dataclass
class Refusal(Exception):
    """The request is denied with this HTTP status."""

    code: int
    message: str
    causes: list[str] = field(default_factory=list)


def invalid(messages: list[str]) -> Refusal:
    """422 with all messages."""
    return Refusal(422, ", ".join(messages), messages)


@dataclass
class Review:
    """One admission request."""

    operation: str
    user: str
    namespace: str
    name: str
    dry_run: bool
    new: Object
    old: Object | None

    @classmethod
    def of(cls, request: dict[str, Any]) -> "Review":
        """From the request of an AdmissionReview."""
        return cls(
            operation=request["operation"],
            user=request["userInfo"].get("username", ""),
            namespace=request.get("namespace", ""),
            name=request.get("name", ""),
            dry_run=bool(request.get("dryRun")) or "All" in _body_dry_run(request.get("object") or {}),
            new=request.get("object") or {},
            old=request.get("oldObject"),
        )

    @property
    def by_kubevirt(self) -> bool:
        """Whether one of KubeVirt's own accounts asks."""
        return self.user in KUBEVIRT_USERS


def _body_dry_run(body: Object) -> list[str]:
    """An Eviction may ask for a dry run in its body, too."""
    return (body.get("deleteOptions") or {}).get("dryRun") or []


Mutator = Callable[[Review], Object]
Validator = Callable[[Review], Awaitable[None]]


class Admission:
    """The webhooks. Validators raise Refusal."""

    def __init__(self, stores: Stores, configuration: Configuration, review_eviction: Validator) -> None:
        self._vmis, self._migrations = stores[VMI], stores[VMIM]
        self._configuration, self._stores = configuration, stores
        self._mutators: dict[str, Mutator] = {
            "vms-mutate": lambda review: default_vm(review.new, review.old),
            "vmis-mutate": self._mutate_vmi,
            "migrations-mutate": lambda review: default_migration(review.new),
        }
        self._validators: dict[str, Validator] = {
            "vms-validate": self._validate_vm,
            "vmis-validate": self._validate_vmi,
            "migrations-validate": self._validate_migration,
            "evictions-validate": review_eviction,
        }

    def application(self) -> web.Application:
        """The HTTP side."""
        application = web.Application(client_max_size=16 * 1024**2)
        application.router.add_post("/{webhook}", self._handle)
        return application

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        answer = await self._answer(request.match_info["webhook"], Review.of(body["request"]))
        response = {"uid": body["request"]["uid"], **answer}
        return web.json_response({"apiVersion": body["apiVersion"], "kind": "AdmissionReview", "response": response})

    async def _answer(self, webhook: str, review: Review) -> dict[str, Any]:
        try:
            if webhook in self._mutators:
                return _change(json_patch(review.new, self._mutators[webhook](review)))
            await self._validators[webhook](review)
        except Refusal as refusal:
            return _denial(refusal)
        except ValueError as error:  # a quantity that is none
            return _denial(invalid([str(error)]))
        return {"allowed": True}

    def _mutate_vmi(self, review: Review) -> Object:
        if review.old is None:
            return default_vmi(review.new, self._configuration)
        return guard_vmi_status(review.new, review.old, review.user)

    async def _validate_vm(self, review: Review) -> None:
        if review.new.get("metadata", {}).get("deletionTimestamp"):
            return  # a VM that goes must not be held back by what is wrong with it
        errors = vm_errors(review.new, self._configuration.feature_gates())
        errors += conflicts(review.new, self._stores)
        if errors:
            raise invalid(errors)

    async def _validate_vmi(self, review: Review) -> None:
        if review.old is None:
            errors = vmi_errors(review.new.get("spec") or {}, self._configuration.feature_gates())
            if errors:
                raise invalid(errors)
        elif not review.by_kubevirt:
            if review.new.get("spec") != review.old.get("spec"):
                raise invalid(["update of VMI object is restricted"])
            if _reserved(review.new) != _reserved(review.old):
                raise invalid(
                    ["modification of the following reserved kubevirt.io/ labels on a VMI object is prohibited"]
                )

    async def _validate_migration(self, review: Review) -> None:
        spec = review.new.get("spec") or {}
        if review.old is not None:
            if spec != (review.old.get("spec") or {}):
                raise invalid(["update of Migration object's spec is restricted"])
            return
        name = spec.get("vmiName")
        if not name:
            raise invalid(["spec.vmiName: vmiName is missing"])
        if spec.get("priority") and not review.by_kubevirt:
            raise invalid(["spec.priority: migration priority can only be set by KubeVirt components"])
        vmi = self._vmis.get((review.namespace, name))
        if vmi is None:
            raise Refusal(400, f'the VMI "{review.namespace}/{name}" does not exist')
        self._require_migratable(vmi)

    def _require_migratable(self, vmi: Object) -> None:
        if is_final(vmi):
            raise Refusal(400, "Cannot migrate VMI in finalized state.")
        obstacle = condition(vmi, "LiveMigratable")
        if obstacle is not None and obstacle["status"] == "False":
            reason, message = obstacle.get("reason", ""), obstacle.get("message", "")
            raise Refusal(400, f"Cannot migrate VMI, Reason: {reason}, Message: {message}")
        for migration in self._migrations:
            same = key_of(migration)[0] == key_of(vmi)[0] and migration["spec"]["vmiName"] == key_of(vmi)[1]
            if same and not is_final(migration):
                name = migration["metadata"]["name"]
                detected = f"in-flight migration detected. Active migration job ({name})"
                raise Refusal(400, f"{detected} is currently already in progress for VMI {key_of(vmi)[1]}.")


def _change(patch: list[dict[str, Any]]) -> dict[str, Any]:
    if not patch:
        return {"allowed": True}
    encoded = base64.b64encode(json.dumps(patch).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": encoded}


def _denial(refusal: Refusal) -> dict[str, Any]:
    reasons = {422: "Invalid", 429: "TooManyRequests", 400: "BadRequest"}
    status: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    status["reason"] = reasons.get(refusal.code, "InternalError")
    if refusal.causes:
        status["details"] = {"causes": [{"reason": "FieldValueInvalid", "message": cause} for cause in refusal.causes]}
    return {"allowed": False, "status": status}


def _reserved(vmi: Object) -> dict[str, str]:
    return {label: value for label, value in labels_of(vmi).items() if label.startswith(_RESERVED)}
