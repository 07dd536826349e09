"""`Idempotency-Key`: a POST that is sent again answers as the first time, and does nothing.

The key's row is written in the transaction of the work itself: work and answer are stored together or not at all.
"""

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from web.models import IdempotencyKey
from web.problems import BadRequest, Invalid, Unauthenticated


def idempotent(view: Callable[..., Response]) -> Callable[..., Response]:
    """Wraps a `post` method of an API view. Without the header it changes nothing."""

    @functools.wraps(view)
    def wrapped(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return view(self, request, *args, **kwargs)
        if not 1 <= len(key) <= 255:
            raise BadRequest("An Idempotency-Key has 1 to 255 characters.")
        digest = "sha256:" + hashlib.sha256(f"{request.method} {request.path}\n".encode() + _body(request)).hexdigest()
        with transaction.atomic():
            row = _claim(request, key, digest)
            if row.status is not None:
                if row.request_digest != digest:
                    raise Invalid("This Idempotency-Key was used for another request. Use a new key.")
                return Response(row.body, status=row.status, headers={"Idempotent-Replay": "true"})
            response = view(self, request, *args, **kwargs)
            # As it is sent: ids and times are text there.
            row.status, row.body = response.status_code, json.loads(JSONRenderer().render(response.data) or "null")
            row.save(update_fields=["status", "body"])
            return response

    return wrapped


def _claim(request: Request, key: str, digest: str) -> IdempotencyKey:
    """The key's row, locked: a second request with the same key waits here until the first one has ended."""
    owner = request.user
    if not owner.is_authenticated:
        raise Unauthenticated("Sign in first.")
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(owner=owner, key=key, request_digest=digest, created_at=timezone.now())
    except IntegrityError:
        return IdempotencyKey.objects.select_for_update().get(owner=owner, key=key)


def _body(request: Request) -> bytes:
    return request._request.body
