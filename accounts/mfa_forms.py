"""allauth's forms for second factors, where ours are stricter: a one-time code counts once, whatever it was for."""

from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm as BaseAuthenticateForm
from allauth.mfa.base.forms import ReauthenticateForm as BaseReauthenticateForm
from allauth.mfa.base.internal.flows import check_rate_limit
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import AddWebAuthnForm as BaseAddWebAuthnForm
from django.utils import timezone

from accounts.reauth import use_code


class _CodeOnce:
    """allauth remembers used codes in the cache for thirty seconds; we keep the last one's time step with its seed."""

    user: Any
    cleaned_data: dict[str, Any]

    def clean_code(self) -> str:
        forget_attempt = check_rate_limit(self.user)
        code: str = self.cleaned_data["code"]
        asked = None
        for authenticator in Authenticator.objects.filter(user=self.user).exclude(type=Authenticator.Type.WEBAUTHN):
            asked = authenticator
            if _accepts(authenticator, code):
                authenticator.user = self.user
                self.authenticator = authenticator
                forget_attempt()
                return code
        if asked:
            self._emit_authentication_failed(asked)  # type: ignore[attr-defined]
        raise get_adapter().validation_error("incorrect_code")


def _accepts(authenticator: Authenticator, code: str) -> bool:
    if authenticator.type == Authenticator.Type.TOTP:
        return not use_code(authenticator, code, now=timezone.now())
    return bool(authenticator.wrap().validate_code(code))


class AuthenticateForm(_CodeOnce, BaseAuthenticateForm):
    pass


class ReauthenticateForm(_CodeOnce, BaseReauthenticateForm):
    pass


class AddPasskeyForm(BaseAddWebAuthnForm):
    """Keys are passkeys unless somebody says otherwise: they sign in without a password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs["placeholder"] = "Laptop"
        alone = self.fields["passwordless"]
        alone.initial = True
        alone.label = "Sign in with it alone"
        alone.help_text = "Without a password: the key itself asks for your finger, face or PIN."
