"""`Authorization: Bearer <token>` for the API."""

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import ApiToken, User
from accounts.tokens import authenticate


class TokenAuthentication(BaseAuthentication):
    """A token acts as its owner. Without the header the session is asked next; with a bad one nothing else is."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = authenticate(secret.strip(), timezone.now())
        if token is None:
            raise AuthenticationFailed("This token is not valid: it is mistyped, expired, or was revoked.")
        return token.owner, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="readiness"'


class TokenScheme(OpenApiAuthenticationExtension):
    """How the token stands in the OpenAPI file."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "rdy_..."}
