"""Refusals: the same sentence for a program, for a person, and for a part of a page."""

import json

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import RequestFactory
from rest_framework import exceptions as drf

from web.middleware import ProblemMiddleware, RequestIdMiddleware
from web.problems import Conflict, Problem, TooManyRequests, exception_handler, from_exception


@pytest.mark.parametrize(
    ("error", "status", "code", "sentence"),
    [
        (Conflict("Somebody was faster."), 409, "conflict", "Somebody was faster."),
        (Http404(), 404, "not-found", "There is nothing here, or you may not see it."),
        (PermissionDenied("No."), 403, "forbidden", "No."),
        (ValidationError(["One.", "Two."]), 422, "invalid", "Some values are not right."),
        (drf.ValidationError({"label": ["Too long."]}), 422, "invalid", "Some values are not right."),
        (drf.ParseError(), 400, "parse-error", "Malformed request."),
        (drf.NotAuthenticated(), 401, "not-authenticated", "Authentication credentials were not provided."),
        (drf.UnsupportedMediaType("text/html"), 415, "unsupported-media-type", None),
    ],
)
def test_each_refusal_has_a_status_a_code_and_a_sentence(
    error: Exception, status: int, code: str, sentence: str | None
) -> None:
    problem = from_exception(error)
    assert problem is not None
    assert (problem.status, problem.code) == (status, code)
    assert problem.detail == sentence or sentence is None


def test_a_fault_of_ours_is_no_problem_of_theirs() -> None:
    assert from_exception(KeyError("x")) is None
    assert exception_handler(KeyError("x"), {}) is None


def test_nested_errors_become_sentences_with_their_field() -> None:
    problem = from_exception(drf.ValidationError({"pins": [{"kind": ["Unknown."]}], "non_field_errors": ["Empty."]}))
    assert problem is not None
    assert problem.reasons == ("pins: kind: Unknown.", "Empty.")


@pytest.mark.usefixtures("db")
def test_the_api_answers_problem_json_with_what_helps() -> None:
    answer = exception_handler(TooManyRequests("Slower.", reasons=["100 a minute."], retry_after=7), {})
    assert answer is not None
    assert (answer.status_code, answer["Retry-After"]) == (429, "7")
    assert answer.content_type == "application/problem+json"
    assert answer.data == {
        "type": "/problems/too-many-requests",
        "title": "Too many requests",
        "status": 429,
        "detail": "Slower.",
        "reasons": ["100 a minute."],
        "retry_after": 7,
    }


def respond(error: Exception, path: str = "/", **headers: str) -> HttpResponse | None:
    def refuse(request: HttpRequest) -> HttpResponse:
        raise AssertionError("not reached")

    request = RequestFactory().get(path, headers=headers)
    return ProblemMiddleware(refuse).process_exception(request, error)


def test_programs_get_json_where_they_ask_for_it() -> None:
    for path, accept in (("/api/x", "*/*"), ("/v1/traces", "*/*"), ("/releases/", "application/json")):
        answer = respond(Conflict("Somebody was faster."), path, Accept=accept)
        assert answer is not None
        assert answer["Content-Type"] == "application/problem+json"
        assert json.loads(answer.content)["detail"] == "Somebody was faster."


def test_a_database_that_is_away_is_told_as_such() -> None:
    answer = respond(OperationalError("canceling statement due to statement timeout"), "/api/x")
    assert answer is not None
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "Nothing was changed" in json.loads(answer.content)["detail"]
    assert b"canceling" not in answer.content, "what the database said is ours to know"


def test_a_fault_of_ours_goes_on() -> None:
    assert respond(KeyError("x")) is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("req-12345678", True),
        ("a" * 64, True),
        ("", False),
        ("short", False),
        ("a" * 65, False),
        ("with blank in it", False),
        ("<script>alert</script>", False),
    ],
)
def test_every_answer_carries_a_request_id(given: str, kept: bool) -> None:
    middleware = RequestIdMiddleware(lambda request: HttpResponse("x"))
    answer = middleware(RequestFactory().get("/", headers={"Request-Id": given}))
    assert (answer["Request-Id"] == given) is kept
    assert len(answer["Request-Id"]) >= 8


def test_an_empty_refusal_of_permission_still_says_something() -> None:
    assert isinstance(problem := from_exception(PermissionDenied()), Problem)
    assert problem.detail == "You may not do this."
