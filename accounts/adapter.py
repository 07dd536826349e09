"""Where we differ from django-allauth's defaults."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest

from accounts.reauth import recent, rp_id
from audit import secrets


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False  # people are invited by an admin

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        # A sign-in a minute ago is proof enough: who must enrol a factor at once need not type the password twice.
        return not recent(context.request)


class MfaAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return secrets.encrypt(text)  # seeds of one-time codes; allauth keeps them in clear

    def decrypt(self, encrypted_text: str) -> str:
        return secrets.decrypt(encrypted_text)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": rp_id(), "name": settings.INSTANCE_NAME}
