"""The libraries themselves, in an environment of their own, against a running server."""

import pytest

from tests.audit.families import capture
from tests.audit.families.stub import Stub
from tests.audit.ingest.test_families import totals, truth_of
from tests.audit.sending import ingest_token
from tests.audit.trailing import new_system, settle

pytestmark = [pytest.mark.long, pytest.mark.timeout(900), pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("family", capture.NAMES)
def test_what_the_library_reports_today_adds_up_to_what_was_answered(live_server, client, family):
    system = new_system(family)
    settle()  # what tests before this one left
    token = ingest_token(system)
    with Stub() as stub, capture.collector() as between:
        # Node's exporter sends chunked bodies, which gunicorn reads and Django's test server does not.
        otlp = f"http://127.0.0.1:{between.server_port}" if family == capture.VERCEL else live_server.url
        capture.run(family, stub=stub.url, otlp=otlp, token=token)
    for path, message in between.received:
        bearer = {"Authorization": f"Bearer {token}"}
        assert client.post(path, message, content_type="application/json", headers=bearer).status_code == 200
    settle()
    assert totals(system) == truth_of({"family": family, "truth": stub.truth})
