"""Where notifications go, and what became of each: for one system, and for the whole organisation."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import person as caller
from accounts.access import require_admin
from accounts.models import User
from operations import rules
from operations.actions import channels as act
from operations.actions.preferences import choose_mail
from operations.errors import InvalidInput
from operations.forms import ChannelForm, MailForm
from operations.models import Channel, Delivery, MailPreference
from operations.queries import channels_for, find_channel, find_delivery, person
from operations.views.shared import checked, visit
from systems.models import System
from web.paging import keyset_page


@never_cache
@require_http_methods(["GET", "POST"])
def channels(request: HttpRequest, slug: str) -> HttpResponse:
    """The channels that hear of one system, with the log of deliveries about it."""
    there = visit(request, slug)
    return _page(request, there.system, there.user, frame=there.frame("operations:channels"))


@never_cache
@require_http_methods(["GET", "POST"])
def organisation(request: HttpRequest) -> HttpResponse:
    """The channels that hear of every system."""
    user = caller(request)
    require_admin(user, now=timezone.now())
    return _page(request, None, user, frame={})


@require_POST
def test(request: HttpRequest, channel_id: UUID) -> HttpResponse:
    channel, user = _channel(request, channel_id)
    act.send_test(channel=channel, by=user, now=timezone.now())
    messages.success(request, f"A test is on its way to {channel.name}. The log below shows what becomes of it.")
    return redirect(_home(channel.system))


@never_cache
@require_POST
def rotate(request: HttpRequest, channel_id: UUID) -> HttpResponse:
    channel, user = _channel(request, channel_id)
    secret = act.rotate_secret(channel=channel, by=user, now=timezone.now())
    return render(
        request, "operations/secret.html", {"channel": channel, "secret": secret, "back": _home(channel.system)}
    )


@require_POST
def switch(request: HttpRequest, channel_id: UUID) -> HttpResponse:
    channel, user = _channel(request, channel_id)
    on = channel.state == Channel.State.OFF
    act.switch_channel(channel=channel, on=on, by=user, now=timezone.now())
    messages.success(request, f"{channel.name} is switched {'on: test it' if on else 'off'}.")
    return redirect(_home(channel.system))


@require_POST
def resend(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
    user = caller(request)
    delivery = find_delivery(delivery_id, by=user, now=timezone.now())
    act.resend(delivery=delivery, by=user, now=timezone.now())
    messages.success(request, f"It is sent to {delivery.receiver} again.")
    return redirect(_home(delivery.notification.system))


@require_http_methods(["GET", "POST"])
def mail(request: HttpRequest) -> HttpResponse:
    """What one person wants by e-mail: everybody's own page."""
    user = caller(request)
    if request.method == "POST":
        choose_mail(mode=checked(MailForm(request.POST)).cleaned_data["mode"], by=user, now=timezone.now())
        messages.success(request, "Kept.")
        return redirect("operations:mail")
    chosen = MailPreference.objects.filter(user=user).first()
    form = MailForm(initial={"mode": chosen.mode if chosen else MailPreference.Mode.ALL})
    return render(request, "operations/mail.html", {"form": form})


def _page(request: HttpRequest, system: System | None, user: User, *, frame: dict[str, Any]) -> HttpResponse:
    now = timezone.now()
    asking = person(user, system=system, now=now)
    form = ChannelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            channel, secret = act.create_channel(system=system, by=user, now=now, **form.cleaned_data)
        except InvalidInput as problem:
            form.add_error("target", problem.detail)
        else:
            return _made(request, channel, secret)
    manage = rules.manage_channel(asking)
    about = Q(notification__system=system) if system else Q(notification__system=None)
    log = Delivery.objects.filter(about).select_related("notification", "channel", "person")
    return render(
        request,
        "operations/channels.html",
        {
            **frame,
            "channels": channels_for(system),
            "form": form,
            "page": keyset_page(log, order=("-created_at", "-pk"), cursor=request.GET.get("cursor"), size=25),
            "manage_reason": manage[0].text if manage else "",
            "test_reason": next((str(reason) for reason in rules.send_test(asking, off=False)), ""),
        },
        status=422 if form.errors else 200,
    )


def _made(request: HttpRequest, channel: Channel, secret: str) -> HttpResponse:
    back = _home(channel.system)
    if secret:
        return render(request, "operations/secret.html", {"channel": channel, "secret": secret, "back": back})
    messages.success(request, f"{channel.name} is there. Send a test: only what has arrived once counts.")
    return redirect(back)


def _channel(request: HttpRequest, channel_id: UUID) -> tuple[Channel, User]:
    user = caller(request)
    return find_channel(channel_id, by=user, now=timezone.now()), user


def _home(system: System | None) -> str:
    return reverse("operations:channels", args=[system.slug]) if system else reverse("operations:settings")
