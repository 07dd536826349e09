"""Telling the ticket of a release that its bundle is there: a comment on GitHub or GitLab, where a token is set.

A token goes to the site that the operator named, never to whatever address a ticket's link has.
"""

import json
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from metrics import egress
from releases.gate.types import facts_from_json
from releases.models import Bundle
from releases.review import review

LIMITS = egress.Limits(total=20, max_bytes=256 * 1024)
_GITHUB = re.compile(r"/([\w.-]+)/([\w.-]+)/(?:issues|pull)/(\d+)/?")
_GITLAB = re.compile(r"/([\w./-]+?)/-/(issues|merge_requests|work_items)/(\d+)/?")


class TicketFailed(Exception):
    """The comment was not taken. Tried again; what a retry cannot help says so."""

    def __init__(self, sentence: str, *, permanent: bool = False) -> None:
        super().__init__(sentence)
        self.permanent = permanent


@dataclass(frozen=True)
class Comment:
    url: str
    headers: dict[str, str]


def comment_on(ticket_url: str) -> Comment | None:
    """Where a comment on this ticket goes, and with which token; None where it is no ticket that we may write to."""
    parts = urlsplit(ticket_url)
    site = f"{parts.scheme}://{parts.netloc}"
    if settings.GITHUB_TOKEN and site == settings.GITHUB_URL and (found := _GITHUB.fullmatch(parts.path)):
        owner, name, number = found.groups()
        api = "https://api.github.com" if site == "https://github.com" else f"{site}/api/v3"
        headers = {"Authorization": f"Bearer {settings.GITHUB_TOKEN}", "Accept": "application/vnd.github+json"}
        return Comment(f"{api}/repos/{owner}/{name}/issues/{number}/comments", headers)
    if settings.GITLAB_TOKEN and site == settings.GITLAB_URL and (found := _GITLAB.fullmatch(parts.path)):
        project, kind, number = found.groups()
        kind = "issues" if kind == "work_items" else kind
        url = f"{site}/api/v4/projects/{quote(project, safe='')}/{kind}/{number}/notes"
        return Comment(url, {"PRIVATE-TOKEN": settings.GITLAB_TOKEN})
    return None


def tell(*, bundle_id: str) -> bool:
    """Writes the comment; whether there was a ticket to write to."""
    bundle = Bundle.objects.select_related("decision__release__system").get(pk=UUID(bundle_id))
    target = comment_on(bundle.decision.release.ticket_url)
    if target is None:
        return False
    content = json.dumps({"body": text(bundle)}).encode()
    headers = {**target.headers, "Content-Type": "application/json"}
    try:
        answer = egress.fetch(target.url, method="POST", headers=headers, content=content, limits=LIMITS)
    except egress.EgressError as error:
        raise TicketFailed(str(error), permanent=isinstance(error, egress.EgressRefused)) from error
    if not answer.ok:
        raise TicketFailed(answer.problem, permanent=400 <= answer.status < 500 and answer.status != 429)
    return True


def text(bundle: Bundle) -> str:
    """Markdown, filled from the decision: what a reader of the ticket asks first, and how to check it."""
    decision, release = bundle.decision, bundle.decision.release
    page = settings.BASE_URL + reverse("releases:decision", kwargs={"pk": decision.pk})
    said = "is cleared: both sides have signed" if decision.cleared else "is not cleared"
    rows = "\n".join(
        f"| {row.name} | {(row.value or '**gap**').replace('|', '&#124;')} |"
        for row in review(facts_from_json(decision.facts))
    )
    return (
        f"**{release.system.name} {release.label}** {said} for the {decision.question} question.\n\n"
        f"| | |\n|---|---|\n{rows}\n\n"
        f"Decision, review and bundle: {page}\n"
        f"Bundle `{bundle.digest}`; it verifies offline: `python -m releases.verify`\n"
    )
