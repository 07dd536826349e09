"""A request with everything that its reproduction takes, as one file: `python -m releases.verify.request` reads it."""

import io
import zipfile
from datetime import datetime

from django.http import HttpResponse

from audit import trail
from releases import bundling
from releases.models import Release
from releases.reproduce import decision_in_force
from releases.verify.request import BUNDLE, FOLDERS, REQUEST, file_of
from systems.registry import hashed_bytes
from web.problems import Problem


class NothingToTake(Problem):
    code = "nothing-to-take"


def take(request: trail.RequestView, *, now: datetime) -> bytes:
    """The spans with their proofs, the bundle of the decision in force, and the pinned prompts and models.

    A problem where the request or its decision is not proved: what does not verify here is not handed out as if it did.
    """
    release = Release.objects.filter(system__slug=request.system, label=request.release).first()
    decision = decision_in_force(release, at=request.started_at) if release else None
    if release is None or decision is None:
        raise NothingToTake("No decision let the release of this request serve at that moment. The page says more.")
    pins = release.pins.filter(component__kind__in=FOLDERS).select_related("version__component")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(REQUEST, trail.proof_of(request))
        archive.writestr(BUNDLE, bundling.content_of(decision, now=now))
        for pin in pins:
            archive.writestr(file_of(pin.component.kind, pin.version.sha256), hashed_bytes(pin.version))
    return out.getvalue()


def download(request: trail.RequestView, *, now: datetime) -> HttpResponse:
    headers = {
        "Content-Disposition": f'attachment; filename="request-{request.trace_id}.zip"',
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(take(request, now=now), content_type="application/zip", headers=headers)
