"""allauth's pages under /accounts/, without those that this product has no use for.

No signing up (people are invited), no changing of one's own address (it is how the record knows a person), and no
sign-in by other sites yet.
"""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path

from web.problems import NotFound


def closed(request: HttpRequest, **kwargs: str) -> HttpResponse:
    raise NotFound("There is no such page here: people are invited by an admin, who also changes addresses.")


urlpatterns = [
    # allauth builds links to these by name, so the names stay.
    path("signup/", closed, name="account_signup"),
    path("email/", closed, name="account_email"),
    path("confirm-email/", closed, name="account_email_verification_sent"),
    re_path(r"^confirm-email/(?P<key>[-:\w]+)/$", closed, name="account_confirm_email"),
    path("login/code/confirm/", closed, name="account_confirm_login_code"),
    path("", include("allauth.account.urls")),
    path("2fa/", include("allauth.mfa.urls")),
    path("sessions/", include("allauth.usersessions.urls")),
]
