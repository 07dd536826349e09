from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse

PUBLIC = (
    "/accounts/login/",
    "/accounts/password/reset/",
    "/accounts/2fa/",
    "/accounts/setup/",
    "/static/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/",
    "/v1/",
    "/problems/",
)


class SignInRequiredMiddleware:
    """Every page is for people who are signed in, unless it is named here. The API has its own check."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated or request.path.startswith(PUBLIC):
            return self.get_response(request)
        return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)
