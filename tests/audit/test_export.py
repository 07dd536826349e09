"""The real ledger, exported and verified offline."""

import pytest
from django.core.management.base import CommandError
from django.db import transaction

from audit import ledger
from audit.actors import SYSTEM
from audit.models import Head
from audit.outside import Outside
from audit.signing import public_keys
from audit.verify import open_export, steps
from tests.audit.attacked import NOW, append, attacker, run, seal

pytestmark = pytest.mark.usefixtures("ledger")


def test_an_export_of_the_real_ledger_verifies_offline(sealed, tmp_path):
    with transaction.atomic():
        ledger.erase(index=4, reason="asked for", by=SYSTEM, now=NOW)
        ledger.append(kind="test.written", by=SYSTEM, subject="ü:1", now=NOW, payload={"text": 'ü " \\ 😀'})
    seal()
    append(2)  # not signed yet: not in the export
    code, text = run("export_ledger", str(tmp_path / "ledger.zip"))
    assert (code, text.split()[0]) == (0, "13")
    own = str(public_keys(Head.objects.get().origin)[0])
    found = list(steps(open_export(tmp_path / "ledger.zip", keys=[own], checkpoint=Outside.of("decisions").note())))
    assert found[-1][1] == "13 entries, 1 with an erased payload"


def test_an_export_shows_what_is_wrong_in_the_log(sealed, tmp_path):
    with attacker() as cursor:
        cursor.execute("UPDATE audit_payload SET payload = '\\xff00' WHERE index = 3")
    run("export_ledger", str(tmp_path / "ledger.zip"))
    with pytest.raises(ValueError, match="entry 3: its payload is not the one that was recorded"):
        list(steps(open_export(tmp_path / "ledger.zip")))


def test_there_is_nothing_to_export_before_the_first_signature(tmp_path):
    with pytest.raises(CommandError, match="Nothing was signed yet"):
        run("export_ledger", str(tmp_path / "ledger.zip"))
    assert not list(tmp_path.glob("*.zip*"))
