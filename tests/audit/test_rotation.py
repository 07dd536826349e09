import base64
from datetime import UTC, date, datetime
from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core.management import call_command

from accounts.models import User
from audit import payloads, rotation, secrets, vault
from audit.models import Blob, PayloadKey

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def key(number: int) -> str:
    return base64.b64encode(bytes([number]) * 32).decode()


def test_everything_moves_to_the_newest_key_wherever_it_is_kept(settings):
    settings.ENCRYPTION_KEYS = [key(1)]
    user = User.objects.create_user("mara@example.com", name="Mara")
    text = Session.objects.create(session_key="k", session_data=secrets.encrypt("in a text column"), expire_date=NOW)
    seed = Authenticator.objects.create(
        user=user, type="totp", data={"secret": secrets.encrypt("in JSON"), "codes": [secrets.encrypt("in a list")]}
    )
    digest = vault.put(b"content", kind="evidence", media_type="text/plain", now=NOW)
    day = date(2026, 3, 1)
    data_key = payloads.keys_for("bot", [day], now=NOW)[day]

    settings.ENCRYPTION_KEYS = [key(2), key(1)]
    out = StringIO()
    call_command("rotate_keys", stdout=out)
    assert out.getvalue() == "Moved to the newest key: 2 secrets, 1 blobs, 1 payload keys\n"
    assert rotation.rotate() == {"secrets": 0, "blobs": 0, "payload keys": 0}

    settings.ENCRYPTION_KEYS = [key(2)]
    text.refresh_from_db()
    seed.refresh_from_db()
    assert secrets.decrypt(text.session_data) == "in a text column"
    assert secrets.decrypt(seed.data["secret"]) == "in JSON"
    assert secrets.decrypt(seed.data["codes"][0]) == "in a list"
    assert vault.get(digest) == b"content"
    assert payloads.keys_for("bot", [day], now=NOW)[day] == data_key
    assert {Blob.objects.get().kek_id} == {PayloadKey.objects.get().kek_id}
