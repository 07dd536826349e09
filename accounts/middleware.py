from collections.abc import Callable

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.queries import must_enrol
from web.middleware import respond, wants_json
from web.problems import Forbidden

PUBLIC = (
    "/accounts/login/",
    "/accounts/inactive/",
    "/accounts/password/reset/",
    "/accounts/2fa/authenticate/",
    "/accounts/2fa/webauthn/login/",
    "/accounts/setup/",
    "/static/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/",
    "/v1/",
    "/problems/",
)
# Where somebody without their second factor may go: to enrol one, to prove who they are, and out.
BEFORE_ENROLMENT = (
    "/accounts/enrol/",
    "/accounts/2fa/",
    "/accounts/reauthenticate/",
    "/accounts/logout/",
    "/static/",
    "/healthz",
    "/readyz",
    "/problems/",
)

_SEEN_GRAIN = 60  # seconds

GetResponse = Callable[[HttpRequest], HttpResponse]


class SignInRequiredMiddleware:
    """Every page is for people who are signed in, unless it is named here. The API has its own check."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated or request.path.startswith(PUBLIC):
            return self.get_response(request)
        return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)


class SeenMiddleware:
    """Keeps when and from where each session was seen last. allauth's own writes that down at every page; here a
    process does so once a minute, and at once where the address or the browser is another."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and (key := request.session.session_key):
            where = hash((get_adapter().get_client_ip(request), request.headers.get("User-Agent")))
            if caches["near"].add(f"seen:{key}:{where}", True, timeout=_SEEN_GRAIN):
                UserSession.objects.create_from_request(request)
        return self.get_response(request)


class SecondFactorMiddleware:
    """Whoever may sign, verify or administer enrols a second factor before anything else."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if (
            settings.REQUIRE_MFA
            and isinstance(user, User)
            and not request.path.startswith(BEFORE_ENROLMENT)
            and must_enrol(user, now=timezone.now())
        ):
            return self._refuse(request)
        return self.get_response(request)

    def _refuse(self, request: HttpRequest) -> HttpResponse:
        if wants_json(request):
            problem = Forbidden("Your role asks for a second factor. Sign in with a browser and add one first.")
            return respond(request, problem)
        return HttpResponseRedirect(reverse("accounts:enrol"))
