"""Where applications send: OTLP/HTTP at /v1/traces and /v1/logs, our own plain form at /api/audit/requests."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from audit.ingest import body, logs, otlp, pressure, quota
from audit.ingest.receive import Receipt, receive
from audit.ingest.wire import TooMuch, Unreadable, WireSpan, counted
from web.api import ApiView
from web.problems import BadRequest, Problem, TooLarge, Unauthenticated, Unavailable, exception_handler, from_exception

log = logging.getLogger(__name__)

PROTOBUF, JSON = "application/x-protobuf", "application/json"
# google.rpc.Code by HTTP status: what an exporter finds in the error's body.
_CODES = {400: 3, 401: 16, 403: 7, 413: 8, 415: 3, 429: 8, 503: 14}


class UnknownMediaType(Problem):
    status = 415
    code = "unsupported-media-type"


class AnyAccept(BaseContentNegotiation):
    """The answer has the form of the request, whatever an exporter writes into Accept."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        return renderers[0], renderers[0].media_type


class IngestView(ApiView):
    """A token of one system and environment; the body is read within bounds; committed before it is acknowledged."""

    required_scopes = {"POST": "ingest"}
    content_negotiation_class = AnyAccept

    def receive(self, request: Request, decode: Callable[[bytes], Any]) -> Receipt:
        token: Any = request.auth
        if token is None:
            raise Unauthenticated("Send an ingest token: Authorization: Bearer rdy_...")
        raw = request._request
        try:
            data = body.read(_stream(raw), encoding=raw.headers.get("Content-Encoding", "").strip().lower())
            spans, now = counted(decode(data)), timezone.now()
            pressure.refuse_when_behind(now=now)
            quota.take(str(token.pk), len(spans), now=now)
            return receive(spans, system=token.system, environment=token.environment, now=now)
        except Unreadable as error:
            raise BadRequest(str(error)) from error
        except TooMuch as error:
            raise TooLarge(str(error)) from error

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | HttpResponse | None]:
        return lambda error, context: exception_handler(_told(error), context)


class OtlpView(IngestView):
    """OTLP/HTTP, protobuf or JSON, plain or packed. What is refused is named in partial_success, the rest is stored."""

    decoders: dict[str, Callable[[bytes], Iterable[WireSpan]]]
    answer: type[Any]
    counter: tuple[str, str]  # the name of what was rejected, in protobuf and in JSON

    def take(self, request: Request) -> HttpResponse:
        kind = _media_type(request)
        if kind not in self.decoders:
            raise UnknownMediaType(f"Send {PROTOBUF} or {JSON}, not {kind or 'a body without Content-Type'}.")
        receipt = self.receive(request, self.decoders[kind])
        if kind == JSON:
            partial = {self.counter[1]: receipt.refused_count, "errorMessage": receipt.message}
            return JsonResponse({"partialSuccess": partial} if receipt.refused else {})
        answer = self.answer()
        if receipt.refused:
            setattr(answer.partial_success, self.counter[0], receipt.refused_count)
            answer.partial_success.error_message = receipt.message
        return HttpResponse(answer.SerializeToString(), content_type=PROTOBUF)

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | HttpResponse | None]:
        return otlp_error


class TracesView(OtlpView):
    decoders = {PROTOBUF: otlp.decode_protobuf, JSON: otlp.decode_json}
    answer = ExportTraceServiceResponse
    counter = ("rejected_spans", "rejectedSpans")

    @extend_schema(
        operation_id="otlp_traces",
        summary="Send traces (OTLP/HTTP)",
        request={PROTOBUF: bytes, JSON: dict},
        responses={200: dict},
    )
    def post(self, request: Request) -> HttpResponse:
        return self.take(request)


class LogsView(OtlpView):
    """Prompts and answers that an instrumentation sends as log records. Other logs are turned away by name."""

    decoders = {PROTOBUF: logs.decode_protobuf, JSON: logs.decode_json}
    answer = ExportLogsServiceResponse
    counter = ("rejected_log_records", "rejectedLogRecords")

    @extend_schema(
        operation_id="otlp_logs",
        summary="Send GenAI log records (OTLP/HTTP)",
        request={PROTOBUF: bytes, JSON: dict},
        responses={200: dict},
    )
    def post(self, request: Request) -> HttpResponse:
        return self.take(request)


def otlp_error(error: Exception, context: dict[str, Any]) -> Response | HttpResponse | None:
    """OTLP wants errors as google.rpc.Status in the form of the request; ours carries the problem's sentence."""
    error = _told(error)
    response = exception_handler(error, context)
    problem = from_exception(error)
    if response is None or problem is None:
        return None
    code = _CODES.get(problem.status, 2)
    if _media_type(context["request"]) == PROTOBUF:
        status = Status(code=code, message=problem.detail)
        headers = {name: response[name] for name in ("Retry-After", "WWW-Authenticate") if name in response}
        return HttpResponse(status.SerializeToString(), status=problem.status, content_type=PROTOBUF, headers=headers)
    response.data = {**problem.as_json(), "code": code, "message": problem.detail}
    return response


def _told(error: Exception) -> Exception:
    """A database that is away: with 503 and Retry-After a sender keeps its batch, and nothing is lost."""
    if not isinstance(error, (OperationalError, InterfaceError)):
        return error
    log.warning("Spans were turned away, the database does not answer: %s", error)
    return Unavailable("The database does not answer. Nothing was stored; send it again.", retry_after=5)


def _media_type(request: Request) -> str:
    return (request._request.content_type or "").lower()


def _stream(request: HttpRequest) -> Any:
    """The body as it arrives. Django reads as much as Content-Length says, which chunked bodies do not have."""
    environ: dict[str, Any] = getattr(request, "environ", {})
    if environ.get("wsgi.input_terminated") and "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return environ["wsgi.input"]
    return request
