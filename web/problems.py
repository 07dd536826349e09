"""Refusals, and how they are told: one root for every package's errors, translated to HTTP here and nowhere else.

The API answers problem+json (RFC 9457); pages answer with the same sentence (see `web.middleware`).
"""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.views import set_rollback

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An expected refusal. `detail` is a sentence that one can act on; `reasons` has all where there are several."""

    status = 409
    code = "conflict"

    def __init__(self, detail: str, *, reasons: Sequence[str] = (), **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reasons = tuple(reasons)
        self.extra = extra

    def as_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"/problems/{self.code}",
            "title": self.code.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
        }
        if self.reasons:
            body["reasons"] = list(self.reasons)
        return {**body, **self.extra}


class BadRequest(Problem):
    status = 400
    code = "bad-request"


class Unauthenticated(Problem):
    status = 401
    code = "unauthenticated"


class Forbidden(Problem):
    status = 403
    code = "forbidden"


class NotFound(Problem):
    status = 404
    code = "not-found"


class Conflict(Problem):
    pass


class TooLarge(Problem):
    status = 413
    code = "too-large"


class Invalid(Problem):
    status = 422
    code = "invalid"


class TooManyRequests(Problem):
    status = 429
    code = "too-many-requests"


class Unavailable(Problem):
    status = 503
    code = "unavailable"


def from_exception(error: Exception) -> Problem | None:
    """The problem that an exception stands for, or None where it is a fault of ours."""
    match error:
        case Problem():
            return error
        case Http404():
            return NotFound("There is nothing here, or you may not see it.")
        case PermissionDenied():
            return Forbidden(str(error) or "You may not do this.")
        case ValidationError():
            return Invalid("Some values are not right.", reasons=error.messages)
        case drf.ValidationError():
            return Invalid("Some values are not right.", reasons=_flatten(error.detail), errors=error.detail)
        case drf.APIException():
            problem = Problem(_flatten(error.detail)[0])
            problem.status = error.status_code
            problem.code = str(error.default_code).replace("_", "-")
            return problem
    return None


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """For Django REST framework: every refusal as problem+json; anything else stays a 500."""
    problem = from_exception(error)
    if problem is None:
        return None
    set_rollback()
    response = Response(problem.as_json(), status=problem.status, content_type=MEDIA_TYPE)
    if isinstance(error, drf.APIException):
        if header := getattr(error, "auth_header", None):
            response["WWW-Authenticate"] = header
        if wait := getattr(error, "wait", None):
            response["Retry-After"] = str(int(wait))
    elif retry_after := problem.extra.get("retry_after"):
        response["Retry-After"] = str(retry_after)
    return response


def _flatten(detail: Any, where: str = "") -> list[str]:
    """DRF's nested error detail as sentences, each with the field it is about."""
    if isinstance(detail, dict):
        return [
            line
            for key, value in detail.items()
            for line in _flatten(value, where if key in ("detail", "non_field_errors") else f"{where}{key}: ")
        ]
    if isinstance(detail, list):
        return [line for value in detail for line in _flatten(value, where)]
    return [f"{where}{detail}"]
