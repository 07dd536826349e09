"""What every answer gets: a request id, and refusals told as sentences instead of stack traces."""

import re
from collections.abc import Callable

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from web.ids import uuid7
from web.problems import MEDIA_TYPE, Problem, TooLarge, Unavailable, from_exception

GetResponse = Callable[[HttpRequest], HttpResponse]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestIdMiddleware:
    """Gives each request an id (the caller's, if it is a sane one) and sends it back."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid7())
        request.request_id = request_id  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["Request-Id"] = request_id
        return response


class UploadLimitMiddleware:
    """Refuses a form whose files are larger than anything here takes, before a byte of them is read: Django would first
    write all of them to the disk, and then ask us. (A body without a stated length is an empty one under WSGI.)"""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        multipart = request.content_type == "multipart/form-data"
        if multipart and length.isdigit() and int(length) > settings.UPLOAD_MAX_BYTES:
            limit = settings.UPLOAD_MAX_BYTES // 2**20
            return respond(
                request, TooLarge(f"Uploads are limited to {limit} MiB. Attach a link with a digest instead.")
            )
        return self.get_response(request)


class ProblemMiddleware:
    """Translates refusals raised by page views. (Views of the API have their own handler for the same problems.)"""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, OperationalError):
            # Connection lost or a timeout of ours struck: nothing was written, the caller may try again.
            sentence = "The database did not answer in time. Nothing was changed; try again in a moment."
            return respond(request, Unavailable(sentence))
        problem = from_exception(error)
        return None if problem is None else respond(request, problem)


def respond(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The refusal as whoever asks can read it: problem+json, a page, or a fragment for htmx."""
    if wants_json(request):
        response: HttpResponse = JsonResponse(problem.as_json(), status=problem.status, content_type=MEDIA_TYPE)
    else:
        template = "web/problem_fragment.html" if request.headers.get("HX-Request") else "web/problem.html"
        response = render(request, template, {"problem": problem}, status=problem.status)
    retry_after = problem.extra.get("retry_after") or (5 if problem.status == 503 else None)
    if retry_after:
        response["Retry-After"] = str(retry_after)
    return response


def wants_json(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/v1/")) or "json" in request.headers.get("Accept", "")
