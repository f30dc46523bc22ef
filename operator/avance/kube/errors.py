"""What the API server can answer instead of a result, as exceptions a caller can tell apart.

One class per reaction, not per status code: `Conflict` means read again and decide again, `Unavailable` means that
nobody knows whether the request took effect.
"""

from __future__ import annotations

import json


class ApiError(Exception):
    """The API server refused a request, or did not answer it.

    `status` is the HTTP status (0 when no answer came), `reason` the API's machine-readable word,
    `message` its sentence.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{message} ({status} {reason})" if status else message)
        self.status = status
        self.reason = reason
        self.message = message


class NotFound(ApiError):
    """404: no such object, or no such kind."""


class Conflict(ApiError):
    """409: the object is not what the writer believed (resourceVersion, UID, field manager). Read it again."""


class AlreadyExists(ApiError):
    """409 on a create: an object of that name is there."""


class Forbidden(ApiError):
    """401 or 403: the service account lacks a right, or its token is not accepted."""


class Invalid(ApiError):
    """400 or 422: schema, CEL rule or admission refused the content. Repeating it is useless."""


class Unavailable(ApiError):
    """429, 5xx, time-out or broken connection. A write may or may not have taken effect."""


def error_from_response(status: int, http_reason: str, body: bytes) -> ApiError:
    """The exception for an answer other than 2xx; `body` is a Status object or, from some servers, plain text."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        answer = {"message": body.decode(errors="replace").strip()}
    reason = str(answer.get("reason") or http_reason)
    message = str(answer.get("message") or http_reason)
    return _class_of(status, reason)(status, reason, message)


def _class_of(status: int, reason: str) -> type[ApiError]:
    if status == 409:
        return AlreadyExists if reason == "AlreadyExists" else Conflict
    if status == 429 or status >= 500:
        return Unavailable
    by_status: dict[int, type[ApiError]] = {
        400: Invalid,
        401: Forbidden,
        403: Forbidden,
        404: NotFound,
        422: Invalid,
    }
    return by_status.get(status, ApiError)
