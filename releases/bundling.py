"""Bundles on approval, kept, and on demand: made by a worker once the record of the decision is signed."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse

from audit import ledger, vault
from audit.actors import SYSTEM
from audit.canonical import digest_bytes
from jobs.outbox import emit
from releases import bundle
from releases.actions.opening import label_of
from releases.models import Bundle, Decision

MEDIA_TYPE = "application/zip"


def make(*, decision_id: str, now: datetime) -> Bundle:
    """Builds, keeps and announces the bundle of a decision, once."""
    decision = Decision.objects.select_related("release__system", "release__standard").get(pk=UUID(decision_id))
    if made := Bundle.objects.filter(decision=decision).first():
        return made
    content = bundle.build(decision, now=now)
    release = decision.release
    with transaction.atomic():
        digest = vault.put(content, kind="bundle", media_type=MEDIA_TYPE, now=now, system=release.system.slug)
        made = Bundle.objects.create(decision=decision, digest=digest, size=len(content), made_at=now)
        said = {"bundle": str(made.pk), "decision": str(decision.pk), "digest": digest, "size": made.size}
        ledger.append(
            kind="release.bundle-made",
            by=SYSTEM,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload=said,
        )
        emit(
            "releases.bundle-made",
            subject=release.subject,
            payload=label_of(release) | said | {"question": decision.question},
            now=now,
        )
    return made


def content_of(decision: Decision, *, now: datetime) -> bytes:
    """The kept bundle, or one of this moment."""
    made = Bundle.objects.filter(decision=decision).first()
    return vault.get(made.digest) if made else bundle.build(decision, now=now)


def download(decision: Decision, *, now: datetime) -> HttpResponse:
    content = content_of(decision, now=now)
    release = decision.release
    name = f"{release.system.slug}-{release.label}-{decision.question}.zip"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "X-Digest": digest_bytes(content),
    }
    return HttpResponse(content, content_type=MEDIA_TYPE, headers=headers)
