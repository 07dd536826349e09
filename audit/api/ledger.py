"""The ledger for programs: entries, proofs, the signed head, and the public key that it verifies with."""

import base64
from datetime import date
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from audit import browsing, completeness, proofs, reading
from audit.merkle import ProofError
from audit.models import Checkpoint, Entry, Head, SpanLog
from audit.sealing import LOG
from audit.signing import public_keys
from audit.spanlog import LOG as REQUESTS
from web.api import ApiView, page_of, paged
from web.problems import BadRequest, NotFound, Problem

SCOPES = {"GET": "trail:read"}


class EntryOut(serializers.ModelSerializer[Entry]):
    """`leaf` is what is hashed into the tree, byte for byte."""

    leaf_hash = serializers.SerializerMethodField()
    commitment = serializers.SerializerMethodField()

    class Meta:
        model = Entry
        fields = (
            "index", "kind", "actor_id", "via", "subject", "system", "at", "recorded_at", "commitment", "leaf",
            "leaf_hash",
        )  # fmt: skip

    def get_leaf_hash(self, entry: Entry) -> str:
        return f"sha256:{bytes(entry.leaf_hash).hex()}"

    def get_commitment(self, entry: Entry) -> str:
        return f"sha256:{bytes(entry.commitment).hex()}"


class CheckedEntryOut(EntryOut):
    holds = serializers.BooleanField(allow_null=True, help_text="Null: as it was recorded, but not signed yet.")
    sentence = serializers.CharField()

    class Meta(EntryOut.Meta):
        fields = (*EntryOut.Meta.fields, "holds", "sentence")  # type: ignore[assignment]


class EntryPayloadOut(serializers.Serializer[Any]):
    payload = serializers.JSONField(allow_null=True, help_text="Null: it was erased.")


class ProofOut(serializers.Serializer[Any]):
    """Everything an inclusion proof takes (RFC 6962, 2.1.1); `file` is the same as a C2SP tlog-proof."""

    index = serializers.IntegerField()
    size = serializers.IntegerField()
    leaf = serializers.CharField()
    hashes = serializers.ListField(child=serializers.CharField(help_text="32 bytes, base64"))
    checkpoint = serializers.CharField(help_text="The signed note.")
    file = serializers.CharField()


class CheckpointOut(serializers.Serializer[Any]):
    origin = serializers.CharField()
    size = serializers.IntegerField()
    root_hash = serializers.CharField(help_text="32 bytes, base64")
    note = serializers.CharField(help_text="The signed note (C2SP tlog-checkpoint).")
    keys = serializers.ListField(child=serializers.CharField())
    signed_at = serializers.DateTimeField()
    entries = serializers.IntegerField(help_text="How many there are, signed or not.")
    stopped = serializers.CharField(help_text="Why the log takes no entries; empty: it does.")


class HeadOut(serializers.Serializer[Any]):
    size = serializers.IntegerField()
    note = serializers.CharField(help_text="The signed note.")


class ConsistencyOut(serializers.Serializer[Any]):
    old = HeadOut(allow_null=True, help_text="Null: the log began in between.")
    new = HeadOut()
    hashes = serializers.ListField(child=serializers.CharField(help_text="32 bytes, base64 (RFC 6962, 2.1.2)"))
    complete = serializers.BooleanField()
    entries = serializers.IntegerField()
    erased = serializers.IntegerField()
    sentence = serializers.CharField()


class KeysOut(serializers.Serializer[Any]):
    origin = serializers.CharField()
    keys = serializers.ListField(child=serializers.CharField(help_text="name+id+base64"))


class EntriesView(ApiView):
    required_scopes = SCOPES

    @extend_schema(
        operation_id="ledger_entries",
        summary="List entries of the ledger",
        parameters=[
            OpenApiParameter("q", description=f"Words as key:value. Keys: {', '.join(browsing.KEYS)}."),
            OpenApiParameter("cursor"),
            OpenApiParameter("size", int),
        ],
        responses=page_of(EntryOut),
    )
    def get(self, request: Request) -> Response:
        found = browsing.search(request.query_params.get("q", ""), _rows(request), now=timezone.now())
        return paged(request, found.rows, EntryOut, order=("-index",))


class EntryView(ApiView):
    required_scopes = SCOPES

    @extend_schema(operation_id="ledger_entry", summary="One entry, checked", responses=CheckedEntryOut)
    def get(self, request: Request, index: int) -> Response:
        entry = _entry(request, index)
        holds, sentence = proofs.check(entry)
        return Response({**EntryOut(entry).data, "holds": holds, "sentence": sentence})


class EntryPayloadView(ApiView):
    """What an entry says in detail. Reading it is recorded."""

    required_scopes = SCOPES

    @extend_schema(operation_id="ledger_payload", summary="Read the payload of an entry", responses=EntryPayloadOut)
    def get(self, request: Request, index: int) -> Response:
        entry = _entry(request, index)
        by: Any = request.auth or request.user
        return Response({"payload": reading.reveal_entry(entry, by=by, now=timezone.now())})


class ProofView(ApiView):
    required_scopes = SCOPES

    @extend_schema(operation_id="ledger_proof", summary="Prove that an entry is in the log", responses=ProofOut)
    def get(self, request: Request, index: int) -> Response:
        entry = _entry(request, index)
        checkpoint = proofs.covering(index)
        if checkpoint is None:
            raise Problem("This entry waits for the next signed checkpoint. Try again in some seconds.")
        try:
            proof = proofs.inclusion(index, checkpoint)
        except ProofError as error:
            raise Problem(f"There is no proof: the stored entries do not lead to the signed root ({error}).") from error
        return Response(
            {
                "index": index,
                "size": checkpoint.size,
                "leaf": entry.leaf,
                "hashes": [base64.b64encode(item).decode() for item in proof.hashes],
                "checkpoint": proof.note,
                "file": proof.text(),
            }
        )


class CheckpointView(ApiView):
    required_scopes = SCOPES

    @extend_schema(operation_id="ledger_checkpoint", summary="The last signed head", responses=CheckpointOut)
    def get(self, request: Request) -> Response:
        head, last = Head.objects.get(log=LOG), Checkpoint.objects.order_by("size").last()
        if last is None:
            raise NotFound("Nothing was signed yet. The worker signs a few seconds after the first entry.")
        return Response(
            {
                "origin": head.origin,
                "size": last.size,
                "root_hash": base64.b64encode(bytes(last.root)).decode(),
                "note": last.note,
                "keys": last.keys.splitlines(),
                "signed_at": last.signed_at,
                "entries": head.size,
                "stopped": head.read_only,
            }
        )


class ConsistencyView(ApiView):
    """That the log of one signed head continues the log of another, and that nothing is missing between them."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="ledger_consistency",
        summary="Prove that a later head continues an earlier one",
        parameters=[
            OpenApiParameter("old", int, description="Entries under the earlier head."),
            OpenApiParameter("new", int, description="Entries under the later head."),
            OpenApiParameter("since", date, description="Instead of the heads: the first day (UTC)."),
            OpenApiParameter("until", date, description="The last day (UTC)."),
        ],
        responses=ConsistencyOut,
    )
    def get(self, request: Request) -> Response:
        asked = request.query_params
        if "old" in asked or "new" in asked:
            sizes = [_number(asked.get(name, "")) for name in ("old", "new")]
            found = completeness.between(*(completeness.of_size(size) for size in sizes))
        else:
            days = [_day(asked.get(name, "")) for name in ("since", "until")]
            between = completeness.of_days(*days)
            if between is None:
                raise completeness.NoSuchHead("Nothing was signed by that day.")
            found = between
        if found.problem:
            raise completeness.NotConsistent(found.sentence)
        return Response(
            {
                "old": found.old and {"size": found.old.size, "note": found.old.note},
                "new": {"size": found.new.size, "note": found.new.note},
                "hashes": [base64.b64encode(item).decode() for item in found.proof],
                "complete": found.complete,
                "entries": found.entries,
                "erased": found.erased,
                "sentence": found.sentence,
            }
        )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 18):
        raise BadRequest("`old` and `new` are numbers of entries.")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRequest("Give `old` and `new`, or `since` and `until` as days like 2026-11-24.") from None


class KeyView(ApiView):
    """For anybody: who verifies an export or a proof must not need an account here."""

    permission_classes = [AllowAny]
    authentication_classes: tuple[()] = ()

    @extend_schema(
        operation_id="ledger_key",
        summary="Public keys of the ledger, or of the request log",
        parameters=[OpenApiParameter("log", enum=[LOG, REQUESTS], description=f"{LOG} if not given")],
        responses=KeysOut,
        auth=[],
    )
    def get(self, request: Request) -> Response:
        log = request.query_params.get("log", LOG)
        if log not in (LOG, REQUESTS):
            raise BadRequest(f"log is {LOG} or {REQUESTS}.")
        if log == REQUESTS:
            origin = SpanLog.objects.get().origin
            return Response({"origin": origin, "keys": [str(key) for key in public_keys(origin)]})
        last = Checkpoint.objects.order_by("size").last()
        origin = Head.objects.get(log=LOG).origin
        return Response({"origin": origin, "keys": last.keys.splitlines() if last else []})


def _rows(request: Request) -> Any:
    return browsing.visible(request.user, token=request.auth)


def _entry(request: Request, index: int) -> Entry:
    entry: Entry | None = _rows(request).filter(pk=index).first()
    if entry is None:
        raise NotFound("There is no such entry, or you may not see its system.")
    return entry
