"""Pages and API of the ledger: who sees which entries, what a page says, and what reading leaves behind."""

import base64
import json

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actions import issue_token
from accounts.roles import Role
from audit import browsing, ledger, merkle, sealing
from audit.checkpoint import Proof, VerifierKey
from audit.models import Checkpoint, Entry, Head
from tests.audit.attacked import lift_guards, restore_guards
from tests.factories import NOW, make_admin, make_user, sign_in

pytestmark = pytest.mark.usefixtures("ledger")


def append(
    by, system: str = "support-bot", *, kind: str = "release.opened", subject: str = "release:1", **payload
) -> int:
    with transaction.atomic():
        entry = ledger.append(kind=kind, by=by, subject=subject, system=system, now=NOW, payload=payload)
    return entry.index


@pytest.fixture
def mara():
    return make_user("Mara Miller", Role.ENGINEERING, system="support-bot")


@pytest.fixture
def auditor():
    return make_user("Otto", Role.AUDITOR)


def get(client: Client, name: str, *args, **query) -> str:
    response = client.get(reverse(f"audit:{name}", args=args), query)
    assert response.status_code == 200, response.content
    return response.content.decode()


def test_the_list_shows_acts_newest_first_with_names_and_absolute_times(mara, auditor):
    first = append(mara, label="2026.11.1")
    second = append(mara, kind="item.verified", subject="item:7")
    sealing.seal(now=NOW)
    third = append(mara, kind="release.signed")
    page = get(sign_in(auditor), "ledger", q="actor:mara")
    order = [page.index(f'href="{reverse("audit:entry", args=[index])}"') for index in (third, second, first)]
    assert order == sorted(order)
    assert "Mara Miller" in page
    assert f"{Entry.objects.get(pk=first).recorded_at:%Y-%m-%d %H:%M:%S} UTC" in page
    assert page.count('data-status="signed"') == 2
    assert page.count('data-status="waiting"') == 1


def test_members_see_their_systems_and_auditors_everything(mara, auditor):
    own, other, nobodys = append(mara), append(mara, "other-bot", subject="release:secret"), append(mara, "")
    seen = {entry.index for entry in browsing.visible(mara)}
    assert own in seen
    assert not {other, nobodys} & seen
    assert {own, other, nobodys} <= {entry.index for entry in browsing.visible(auditor)}
    client = sign_in(mara)
    assert "release:secret" not in get(client, "ledger")
    assert "release:secret" not in get(client, "ledger", q="system:other-bot")
    for index in (other, nobodys, 10_000):
        for name in ("entry", "proof"):
            assert client.get(reverse(f"audit:{name}", args=[index])).status_code == 404
        before = Head.objects.get().size
        assert client.post(reverse("audit:entry-payload", args=[index])).status_code == 404
        assert Head.objects.get().size == before


def test_somebody_without_a_role_sees_no_entry(mara):
    append(mara)
    assert not browsing.visible(make_user("Nobody")).exists()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("kind:release.opened", {"a", "b"}),
        ("kind:item", {"c"}),
        ("kind:item kind:release.opened", {"a", "b", "c"}),
        ("subject:release:2", {"b"}),
        ("item.verified", {"c"}),
        ("Mara Miller kind:release", {"a", "b"}),
        ("system:other-bot", {"c"}),
        ("actor:mara kind:release", {"a", "b"}),
        ("actor:product subject:release:1", set()),
        ("actor:nobody", set()),
        ("since:1h", {"a", "b", "c"}),
        ("since:2999-01-01", set()),
        ("until:2020-01-01", set()),
        ("until:2999-01-01 kind:item", {"c"}),
    ],
)
def test_words_narrow_the_list(mara, auditor, query, expected):
    numbers = {
        "a": append(mara),
        "b": append(mara, subject="release:2"),
        "c": append(mara, "other-bot", kind="item.verified", subject="item:7"),
    }
    found = browsing.search(query, browsing.visible(auditor), now=timezone.now())
    indexes = {entry.index for entry in found.rows}
    assert {name for name, index in numbers.items() if index in indexes} == expected


def test_a_word_that_is_no_key_is_said(mara, auditor):
    append(mara)
    assert "Not a key of this list: colour" in get(sign_in(auditor), "ledger", q="colour:red")


def test_a_number_leads_to_its_entry(mara, auditor):
    index = append(mara)
    response = sign_in(auditor).get(reverse("audit:ledger"), {"q": str(index)})
    assert response.headers["Location"] == reverse("audit:entry", args=[index])


def test_pages_go_on_where_the_last_one_ended(mara, auditor, django_assert_max_num_queries):
    for number in range(120):
        append(mara, subject=f"release:{number}")
    client = sign_in(auditor)
    with django_assert_max_num_queries(25):
        page = get(client, "ledger", q="kind:release")
    assert page.count("data-row") == 50
    cursor = page.split("cursor=")[1].split('"')[0]
    following = get(client, "ledger", q="kind:release", cursor=cursor)
    assert "release:69<" in following
    assert "release:70<" not in following


def test_an_entry_shows_leaf_proof_and_neighbours(mara, auditor):
    append(mara, subject="release:9")
    before, index, after = append(mara), append(mara, kind="release.signed"), append(mara)
    sealing.seal(now=NOW)
    entry = Entry.objects.get(pk=index)
    page = get(sign_in(auditor), "entry", index)
    assert entry.leaf.replace('"', "&quot;") in page
    assert f"sha256:{bytes(entry.leaf_hash).hex()}" in page
    assert "at its place" in page
    assert "Clocks differ" in page  # NOW is not the database's time
    assert f'href="{reverse("audit:entry", args=[before])}"' in page
    assert f'href="{reverse("audit:entry", args=[after])}"' in page
    assert "label" not in page.split('id="payload-body"')[1].split("</form>")[0].replace("aria-label", "")


def test_an_altered_entry_says_so(mara, auditor):
    index = append(mara)
    sealing.seal(now=NOW)
    lift_guards()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_entry SET actor_id = 'user:2' WHERE index = %s", [index])
    restore_guards()
    page = get(sign_in(auditor), "entry", index)
    assert "This entry is not what was signed." in page
    assert 'data-status="failed"' in page
    assert sign_in(auditor).get(reverse("audit:proof", args=[index])).status_code == 200  # its leaf still is


def test_a_payload_is_shown_once_asked_for_and_the_asking_is_recorded(mara, auditor):
    index = append(mara, label="2026.11.2", note="<b>bold</b>")
    client = sign_in(auditor)
    assert "2026.11.2" not in get(client, "entry", index)
    url = reverse("audit:entry-payload", args=[index])
    assert client.get(url).status_code == 405
    response = client.post(url)
    assert "&quot;label&quot;: &quot;2026.11.2&quot;" in response.content.decode()
    assert "<b>bold" not in response.content.decode()
    read = Entry.objects.order_by("index").last()
    assert (read.kind, read.actor_id, read.subject, read.system) == (
        "payload.read", auditor.actor_id, f"entry:{index}", "support-bot",
    )  # fmt: skip
    fragment = client.post(url, headers={"HX-Request": "true"}).content.decode()
    assert "2026.11.2" in fragment
    assert "<html" not in fragment


def test_an_erased_payload_is_said_to_be(mara, auditor):
    index = append(mara, name="Mara Miller")
    with transaction.atomic():
        tombstone = ledger.erase(index=index, reason="asked for", by=auditor, now=NOW)
    client = sign_in(auditor)
    page = get(client, "entry", index)
    assert f'Erased, as <a href="{reverse("audit:entry", args=[tombstone.index])}">' in page
    assert "It was erased" in client.post(reverse("audit:entry-payload", args=[index])).content.decode()


def test_the_proof_file_verifies_with_leaf_and_key_alone(mara, auditor):
    index = append(mara)
    client = sign_in(auditor)
    assert client.get(reverse("audit:proof", args=[index])).status_code == 409
    sealing.seal(now=NOW)
    response = client.get(reverse("audit:proof", args=[index]))
    assert response.headers["Content-Disposition"] == f'attachment; filename="entry-{index}.tlog-proof"'
    published = Client().get("/api/audit/key").json()  # nobody needs to sign in for the key
    keys = [VerifierKey.parse(text) for text in published["keys"]]
    leaf = Entry.objects.get(pk=index).leaf.encode()
    head = Proof.parse(response.content.decode()).verify(leaf, keys, published["origin"])
    assert head.size == Checkpoint.objects.order_by("size").last().size


def test_each_log_tells_its_public_key(mara):
    """A request's proof is under the key of the request log, which has a name and an id of its own."""
    append(mara)
    sealing.seal(now=NOW)  # the first to sign makes the key
    decisions, requests = (Client().get(f"/api/audit/key?log={log}").json() for log in ("decisions", "requests"))
    assert requests["origin"].endswith("/requests") and decisions["origin"].endswith("/decisions")
    assert [VerifierKey.parse(text).name for text in requests["keys"]] == [requests["origin"]]
    assert Client().get("/api/audit/key?log=other").status_code == 400


def test_the_checkpoint_page_shows_note_and_key(mara, auditor):
    append(mara)
    assert "Nothing is signed yet" in get(sign_in(mara), "checkpoints")
    sealing.seal(now=NOW)
    row = Checkpoint.objects.get()
    page = get(sign_in(mara), "checkpoints")
    assert row.note.splitlines()[-1] in page
    assert row.keys in page.replace("&#x2B;", "+")
    assert row.root_digest in page
    assert "python -m audit.verify ledger.zip" in page
    assert "{%" not in page


def test_a_stopped_ledger_is_on_every_page(mara, auditor):
    append(mara)
    client = sign_in(auditor)
    sealing.stop("entry 3: it was rewritten", now=NOW)
    for page in (get(client, "ledger"), get(client, "checkpoints"), client.get("/me/").content.decode()):
        assert "The ledger takes no entries" in page
        assert "entry 3: it was rewritten" in page


# --- API ---


@pytest.fixture
def token(mara):
    _, secret = issue_token(
        owner=mara,
        name="pipeline",
        scopes=["trail:read"],
        system="support-bot",
        environment="",
        by=make_admin(),
        now=NOW,
    )
    return {"Authorization": f"Bearer {secret}"}


def test_the_api_lists_entries_of_the_tokens_system(mara, token):
    own, other = append(mara), append(mara, "other-bot")
    client = Client()
    body = client.get("/api/audit/entries", {"q": "kind:release"}, headers=token).json()
    assert [row["index"] for row in body["results"]] == [own]
    assert body["results"][0]["leaf"] == Entry.objects.get(pk=own).leaf
    assert client.get(f"/api/audit/entries/{other}", headers=token).status_code == 404
    assert client.get("/api/audit/entries").status_code == 401


def test_a_token_of_another_scope_reads_nothing(mara):
    append(mara)
    _, secret = issue_token(
        owner=mara, name="gate", scopes=["gate:read"], system="support-bot", environment="", by=make_admin(), now=NOW
    )
    for path in ("entries", "entries/0", "entries/0/payload", "entries/0/proof", "checkpoint"):
        response = Client().get(f"/api/audit/{path}", headers={"Authorization": f"Bearer {secret}"})
        assert response.status_code == 403
        assert "trail:read" in response.json()["detail"]


def test_the_api_checks_an_entry_and_proves_it(mara, token):
    index = append(mara)
    client = Client()
    assert client.get(f"/api/audit/entries/{index}", headers=token).json()["holds"] is None
    assert client.get(f"/api/audit/entries/{index}/proof", headers=token).status_code == 409
    assert client.get("/api/audit/checkpoint", headers=token).status_code == 404
    sealing.seal(now=NOW)
    entry = client.get(f"/api/audit/entries/{index}", headers=token).json()
    assert (entry["holds"], entry["actor_id"]) == (True, mara.actor_id)
    proof = client.get(f"/api/audit/entries/{index}/proof", headers=token).json()
    head = client.get("/api/audit/checkpoint", headers=token).json()
    merkle.verify_inclusion(
        merkle.leaf_hash(proof["leaf"].encode()),
        index,
        head["size"],
        [base64.b64decode(item) for item in proof["hashes"]],
        base64.b64decode(head["root_hash"]),
    )
    assert proof["checkpoint"] == head["note"]
    assert head["entries"] == Head.objects.get().size


def test_reading_a_payload_by_token_is_recorded_in_its_owners_name(mara, token):
    index = append(mara, label="2026.11.2")
    body = Client().get(f"/api/audit/entries/{index}/payload", headers=token).json()
    assert body == {"payload": {"label": "2026.11.2"}}
    read = Entry.objects.order_by("index").last()
    assert (read.kind, read.actor_id, read.via[:6]) == ("payload.read", mara.actor_id, "token:")
    with transaction.atomic():
        ledger.erase(index=index, reason="asked for", by=mara, now=NOW)
    assert Client().get(f"/api/audit/entries/{index}/payload", headers=token).json() == {"payload": None}


def test_a_stopped_ledger_shows_no_payload(mara, auditor):
    """Without the entry that says who read it, nothing is shown."""
    index = append(mara, label="2026.11.2")
    client = sign_in(auditor)
    sealing.stop("a disk was full", now=NOW)
    response = client.post(reverse("audit:entry-payload", args=[index]))
    assert response.status_code == 503
    assert "2026.11.2" not in response.content.decode()
    body = json.loads(
        sign_in(auditor)
        .post(reverse("audit:entry-payload", args=[index]), headers={"Accept": "application/json"})
        .content
    )
    assert body["type"] == "/problems/ledger-read-only"
