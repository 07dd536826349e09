"""Incidents of one system: the list, and the page on which one is worked on."""

from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from operations import rules
from operations.actions import incidents as act
from operations.forms_incidents import FollowUpForm, IncidentForm, NoteForm, PostMortemForm
from operations.models import FollowUp, Incident
from operations.queries import incidents_of
from operations.views.shared import Visit, checked, visit, why_not
from web.paging import keyset_page


@require_http_methods(["GET", "POST"])
def incidents(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    about = {name: request.GET.get(name, "") for name in ("request", "release")}
    form = IncidentForm(request.POST or None, initial={"requests": about["request"], "release_label": about["release"]})
    if request.method == "POST" and form.is_valid():
        made = act.open_incident(system=there.system, by=there.user, now=there.now, **form.values(there.now))
        messages.success(request, "The incident is open, and everybody who must know is told.")
        return redirect("operations:incident", slug, made.pk)
    rows = incidents_of(there.system, **about).annotate(waiting=Count("follow_ups", filter=Q(follow_ups__done_at=None)))
    context = {
        **there.frame("operations:incidents"),
        "page": keyset_page(rows, order=("-opened_at", "-pk"), cursor=request.GET.get("cursor")),
        "about": about,
        "form": form,
        "reason": why_not(rules.open_incident(there.person)),
    }
    return render(request, "operations/incidents.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def incident(request: HttpRequest, slug: str, incident_id: UUID) -> HttpResponse:
    """The incident; a POST closes it with its post-mortem."""
    there = visit(request, slug)
    found = _incident(there, incident_id)
    form = PostMortemForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        act.close_incident(incident=found, by=there.user, now=there.now, **form.cleaned_data)
        messages.success(request, "Closed. The post-mortem does not change any more.")
        return redirect("operations:incident", slug, found.pk)
    state = act.state_of(found)
    context = {
        **there.frame("operations:incidents"),
        "incident": found,
        "events": _events(found),
        "follow_ups": [_follow_up(one, there) for one in found.follow_ups.select_related("owner", "done_by")],
        "lasted": found.mitigated_at - found.began_at if found.mitigated_at else None,
        "note_form": NoteForm(auto_id="note_%s"),
        "follow_up_form": FollowUpForm(system=there.system, now=there.now, auto_id="follow_%s"),
        "form": form,
        "work_reason": why_not(rules.work_on_incident(state, there.person)),
        "mitigate_reason": why_not(rules.mitigate_incident(state, there.person)),
        "close_reason": why_not(rules.close_incident(state, there.person)),
        "follow_reason": why_not(rules.needs_role(there.person, rules.MAY_FREEZE, "Adding a follow-up")),
    }
    return render(request, "operations/incident.html", context, status=422 if form.errors else 200)


@require_POST
def note(request: HttpRequest, slug: str, incident_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found, form = _incident(there, incident_id), checked(NoteForm(request.POST))
    act.note(incident=found, by=there.user, now=there.now, **form.cleaned_data)
    return redirect("operations:incident", slug, incident_id)


@require_POST
def mitigate(request: HttpRequest, slug: str, incident_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    act.mitigate(incident=_incident(there, incident_id), by=there.user, now=there.now)
    messages.success(request, "Mitigated: the measured time ends here. The post-mortem is next.")
    return redirect("operations:incident", slug, incident_id)


@require_POST
def follow_up(request: HttpRequest, slug: str, incident_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = _incident(there, incident_id)
    form = checked(FollowUpForm(request.POST, system=there.system, now=there.now))
    act.add_follow_up(incident=found, by=there.user, now=there.now, **form.cleaned_data)
    return redirect("operations:incident", slug, incident_id)


@require_POST
def finish(request: HttpRequest, slug: str, incident_id: UUID, follow_up_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    one = get_object_or_404(FollowUp, pk=follow_up_id, incident=_incident(there, incident_id))
    act.finish_follow_up(follow_up=one, by=there.user, now=there.now)
    return redirect("operations:incident", slug, incident_id)


def _incident(there: Visit, incident_id: UUID) -> Incident:
    rows = Incident.objects.select_related("system", "opened_by", "closed_by")
    return get_object_or_404(rows, pk=incident_id, system=there.system)


def _follow_up(one: FollowUp, there: Visit) -> dict[str, object]:
    reasons = rules.finish_follow_up(there.person, owner=str(one.owner_id), done=one.done_at is not None)
    return {"one": one, "reason": why_not(reasons), "overdue": one.done_at is None and one.due_on < there.now.date()}


def _events(found: Incident) -> list[dict[str, object]]:
    """The timeline, newest first."""
    events: list[dict[str, object]] = [
        {"status": "noted", "sentence": moment.text, "who": moment.by.name, "at": moment.at, "absolute": True}
        for moment in found.moments.select_related("by")
    ]
    marks = [
        (found.began_at, "failed", "It began", None),
        (found.opened_at, "open", "opened it", found.opened_by),
        (found.mitigated_at, "ok", "Mitigated", None),
        (found.closed_at, "closed", "closed it", found.closed_by),
    ]
    for at, status, sentence, who in marks:
        if at is not None:
            events.append(
                {"status": status, "sentence": sentence, "who": who.name if who else "", "at": at, "absolute": True}
            )
    # Where two have the same time, what stands first above came first: it began, and was opened at once.
    return sorted(events, key=lambda event: str(event["at"]))[::-1]
