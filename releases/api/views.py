"""The API of releases. Pipelines ask `gate`; everything a page does has its twin here."""

import base64
import binascii
import hashlib
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as signed_in
from accounts.access import require_member, visible_systems
from accounts.models import ApiToken, User
from audit import canonical, ledger, trail
from metrics.models import Source
from releases.actions import applicability, checklist, opening, rollout, shadow
from releases.actions import signing as acts
from releases.actions.recording import attach_record
from releases.actions.standards import upgrade_standard
from releases.api import serializers
from releases.decisions import Standing, standing, store
from releases.errors import InvalidInput
from releases.gate.types import Question
from releases.locking import lock
from releases.models import Decision, Release
from releases.offering import offer, opened, prove
from releases.presenting import rows as presenting
from releases.presenting.page import question_now
from releases.queries import find_release, system_of, visible_releases
from releases.reproduce import reproduce
from releases.standard.published import standards_for
from systems.models import Version
from web.api import ApiView
from web.idempotency import idempotent
from web.paging import keyset_page
from web.prepared import Prepared
from web.problems import NotFound

QUESTION = OpenApiParameter("question", OpenApiTypes.STR, enum=["canary", "release"], description="Default: release.")


class ReleaseView(ApiView):
    """Finds the release that the path names, for a caller who holds a role on its system."""

    def release(self, request: Request, reference: str) -> Release:
        return find_release(reference, slugs=visible_systems(request, now=timezone.now()))

    def asked(self, request: Request) -> Question:
        try:
            return presenting.question_of(request.query_params.get("question"))
        except ValueError:
            raise InvalidInput("There are two questions: canary and release.") from None


class Releases(ApiView):
    required_scopes = {"GET": "gate:read"}

    @extend_schema(responses=serializers.ReleaseSerializer(many=True), operation_id="releases_list")
    def get(self, request: Request) -> Response:
        releases = visible_releases(visible_systems(request, now=timezone.now()))
        if slug := request.query_params.get("system"):
            releases = releases.filter(system__slug=slug)
        page = keyset_page(releases, order=("-opened_at", "-pk"), cursor=request.query_params.get("cursor"))
        return Response({"results": [serializers.release(r) for r in page.items], "next": page.next_cursor})

    @extend_schema(request=serializers.OpenSerializer, responses={201: serializers.ReleaseSerializer})
    @idempotent
    def post(self, request: Request) -> Response:
        data = serializers.valid(serializers.OpenSerializer, request)
        require_member(request, data["system"])
        now, by = timezone.now(), signed_in(request)
        release = opening.open_release(
            system=system_of(data["system"]),
            label=data["label"],
            summary=data["summary"],
            ticket_url=data["ticket_url"],
            by=by,
            now=now,
        )
        if data["pin_newest"]:
            opening.pin_newest(release_id=release.pk, by=by, now=now)
        return Response(serializers.release(release), status=201)


class ReleaseDetail(ReleaseView):
    required_scopes = {"GET": "gate:read"}

    @extend_schema(responses=serializers.ReleaseSerializer)
    def get(self, request: Request, reference: str) -> Response:
        release = self.release(request, reference)
        return Response({**serializers.release(release), "pins": serializers.pins(release)})


class Gate(ReleaseView):
    """What pipelines ask: go on only where `allow` is true."""

    required_scopes = {"GET": "gate:read"}

    @extend_schema(parameters=[QUESTION], responses=serializers.GateSerializer)
    def get(self, request: Request, reference: str) -> Response:
        release = self.release(request, reference)
        now = timezone.now()
        found = standing(release, self.asked(request), now=now)
        if isinstance(request.auth, ApiToken):
            record_asked(release, found, by=request.user, via=request.auth.via, now=now)
        response = Response(serializers.gate(release, found))
        response["Cache-Control"] = "no-store"
        return response


_last_asked = Prepared(
    lambda release, question: (
        Decision.objects.filter(release=release, question=question, occasion=Decision.Occasion.ASKED)
        .order_by("-decided_at")
        .values_list("cleared", "state_digest", "verdict__reasons")[:1]  # facts and items of a long checklist are long
    )
)


def record_asked(release: Release, found: Standing, *, by: User | AnonymousUser, via: str, now: datetime) -> None:
    """A pipeline that gets a new answer leaves a decision behind; the same answer again does not."""
    for cleared, digest, reasons in _last_asked(release=release.pk, question=found.question.value):
        if cleared == found.cleared and digest == found.state_digest:
            before = [row["code"] + row["sentence"] for row in reasons]
            if before == [reason.code + reason.sentence for reason in found.verdict.reasons] or not found.missing:
                return
    assert isinstance(by, User)
    with transaction.atomic():
        decision = store(lock(release.pk), found, occasion=Decision.Occasion.ASKED, now=now)
        ledger.append(
            kind="release.gate-answered",
            by=by,
            via=via,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={
                "question": found.question,
                "cleared": found.cleared,
                "decision": str(decision.pk),
                "decision_digest": decision.digest,
            },
        )


class Items(ReleaseView):
    required_scopes = {"GET": "gate:read"}

    @extend_schema(parameters=[QUESTION], responses=serializers.ItemSerializer(many=True))
    def get(self, request: Request, reference: str) -> Response:
        release = self.release(request, reference)
        found = standing(release, self.asked(request), now=timezone.now())
        return Response({"results": [serializers.item(row) for row in presenting.rows(found, release)]})


class Item(ReleaseView):
    """One item. POST acts on it: assign, verify, send-back, comment, propose, confirm, withdraw."""

    required_scopes = {"GET": "gate:read"}

    @extend_schema(responses=serializers.OneItemSerializer)
    def get(self, request: Request, reference: str, key: str) -> Response:
        return Response(self.shown(self.release(request, reference), key))

    @extend_schema(request=serializers.ItemActSerializer, responses=serializers.OneItemSerializer)
    @idempotent
    def post(self, request: Request, reference: str, key: str) -> Response:
        release = self.release(request, reference)
        data = serializers.valid(serializers.ItemActSerializer, request)
        common: dict[str, Any] = {
            "release_id": release.pk,
            "key": key,
            "by": signed_in(request),
            "now": timezone.now(),
            "revision": data.get("revision"),
        }
        match data["act"]:
            case "assign":
                owner = User.objects.filter(email__iexact=data["owner"]).first() if data["owner"] else None
                if data["owner"] and owner is None:
                    raise InvalidInput(f"Nobody here has the address {data['owner']}.")
                checklist.assign_item(owner=owner, due_at=data["due_at"], **common)
            case "comment":
                common.pop("revision")
                checklist.comment_item(text=data["reason"], **common)
            case "verify":
                checklist.verify_item(digests=data["digests"], **common)
            case "send-back":
                checklist.send_back(reason=data["reason"], **common)
            case "propose":
                applicability.propose_not_applicable(reason=data["reason"], **common)
            case "confirm":
                applicability.confirm_not_applicable(**common)
            case "withdraw":
                applicability.withdraw_not_applicable(**common)
        return Response(self.shown(release, key))

    def shown(self, release: Release, key: str) -> dict[str, Any]:
        found = standing(release, question_now(release), now=timezone.now())
        for row in presenting.rows(found, release):
            if row.item.key == key:
                return serializers.item(row) | {"untaken": serializers.untaken(release, row)}
        raise NotFound(f"This release has no item {key}.")


class ItemEvidence(ReleaseView):
    """Attach evidence: the content as base64, with the digest that the caller computed, so that none is mistaken."""

    required_scopes = {"POST": "evidence:write"}

    @extend_schema(request=serializers.EvidenceSerializer, responses={201: serializers.AttachedSerializer})
    @idempotent
    def post(self, request: Request, reference: str, key: str) -> Response:
        release = self.release(request, reference)
        data = serializers.valid(serializers.EvidenceSerializer, request)
        common: dict[str, Any] = {
            "release_id": release.pk,
            "key": key,
            "note": data["note"],
            "replace": data["replace"],
            "by": signed_in(request),
            "via": request.auth.via if isinstance(request.auth, ApiToken) else "",
            "now": timezone.now(),
        }
        if data["record"]:
            evidence = attach_record(record=data["record"], values=data["values"], **common)
        else:
            evidence = checklist.attach_evidence(
                kind=data["kind"],
                title=data["title"],
                content=self.content(data),
                media_type=data["media_type"],
                url=data["url"],
                **common,
            )
        return Response(
            {"id": str(evidence.pk), "digest": evidence.digest, "valid_until": evidence.valid_until}, status=201
        )

    def content(self, data: dict[str, Any]) -> bytes:
        try:
            content = base64.b64decode(data["content"], validate=True)
        except binascii.Error as error:
            raise InvalidInput("`content` is not base64.") from error
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        if data["sha256"] and data["sha256"] != digest:
            raise InvalidInput(f"The content has the digest {digest}, not the one that you gave.")
        return content


class Act(ReleaseView):
    """What moves a release: pin, plan, review, answer, start, promote, roll-back, abandon, reject. People only."""

    @extend_schema(request=serializers.ActSerializer, responses=serializers.ReleaseSerializer)
    @idempotent
    def post(self, request: Request, reference: str) -> Response:
        release = self.release(request, reference)
        data = serializers.valid(serializers.ActSerializer, request)
        common: dict[str, Any] = {"release_id": release.pk, "by": signed_in(request), "now": timezone.now()}
        match data["act"]:
            case "pin":
                opening.pin(version=self.version(data.get("version")), **common)
            case "plan":
                plan = serializers.valid(serializers.PlanSerializer, request)
                sources = {name: self.source(release, plan.pop(name)) for name in ("source", "shadow_source")}
                steps = [(step["share"], step["hours"]) for step in plan.pop("steps")]
                opening.plan_rollout(steps=steps, **sources, **plan, **common)
            case "review":
                opening.begin_review(**common)
            case "answer":
                answer = {name: data[name] for name in ("key", "value", "text", "evidence")}
                checklist.answer_question(**answer, **common)
            case "start":
                rollout.start_rollout(**common)
            case "start-shadow":
                shadow.start_shadow(**common)
            case "end-shadow":
                shadow.end_shadow(**common)
            case "promote":
                rollout.promote(**common)
            case "roll-back":
                rollout.roll_back(reason=data["text"], **common)
            case "upgrade":
                upgrade_standard(number=data["text"], **common)
            case "policy":
                opening.move_to_policy(number=data["text"], **common)
            case "abandon":
                opening.abandon(reason=data["text"], **common)
            case "reject":
                acts.reject(side=data["side"], reason=data["text"], **common)
        return Response(serializers.release(find_release(str(release.pk), slugs=None)))

    def source(self, release: Release, pk: Any) -> Any:
        found = Source.objects.filter(pk=pk, system=release.system).first() if pk else None
        if pk and found is None:
            raise InvalidInput("This system has no such source.")
        return found

    def version(self, pk: Any) -> Version:
        found = Version.objects.select_related("component").filter(pk=pk).first() if pk else None
        if found is None:
            raise InvalidInput("`version` names no version.")
        return found


class SignOff(ReleaseView):
    """GET gives the statement that would be signed, sealed; POST carries it back with the proof. People only."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, reference: str, side: str) -> Response:
        release = self.release(request, reference)
        now = timezone.now()
        found = standing(release, question_now(release), now=now)
        offered = offer(release, found, side, user=signed_in(request), now=now)
        return Response({**asdict(offered), "state_digest": found.state_digest})

    @extend_schema(request=serializers.SignSerializer, responses={201: serializers.SignedSerializer})
    def post(self, request: Request, reference: str, side: str) -> Response:
        release = self.release(request, reference)
        data = serializers.valid(serializers.SignSerializer, request)
        now, user = timezone.now(), signed_in(request)
        statement, state = opened(data["sealed"])
        if statement["side"] != side:
            raise InvalidInput(f"This statement is for {statement['side']}.")
        signed = acts.sign_off(
            release_id=release.pk,
            statement=statement,
            shown_digest=data["state_digest"],
            proof=prove(data, user=user, passkey_state=state, now=now),
            by=user,
            now=now,
        )
        body = {"id": str(signed.pk), "statement_digest": signed.statement_digest, "method": signed.method}
        return Response(body, status=201)


class Reproduce(ApiView):
    required_scopes = {"GET": "trail:read"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, request_id: str) -> Response:
        now = timezone.now()
        slugs = visible_systems(request, now=now)
        found = [view for view in trail.find(request_id) if slugs is None or view.system in slugs]
        if not found:
            raise NotFound("No request that you may see has this id.")
        return Response(
            {"results": [canonical.plain(serializers.reproduction(reproduce(view, now=now))) for view in found]}
        )


class Standard(ApiView):
    required_scopes = {"GET": "gate:read"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, number: str) -> Response:
        version = standards_for(visible_systems(request, now=timezone.now())).filter(number=number).first()
        if version is None:
            raise NotFound(f"There is no standard {number}.")
        return Response({"number": version.number, "sha256": version.sha256, "body": version.body})


class DecisionDetail(ApiView):
    required_scopes = {"GET": "gate:read"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, pk: Any) -> Response:
        found = Decision.objects.select_related("release__system").filter(pk=pk).first()
        if found is None:
            raise NotFound("There is no such decision.")
        require_member(request, found.release.system.slug)
        return Response(serializers.decision(found))
