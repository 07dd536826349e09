"""The libraries themselves, in an environment of their own, against a running server."""

import pytest

from tests.audit.families import capture
from tests.audit.families.stub import Stub
from tests.audit.ingest.test_families import totals, truth_of
from tests.audit.sending import ingest_token
from tests.audit.trailing import new_system, settle

pytestmark = [pytest.mark.long, pytest.mark.timeout(900), pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("family", capture.NAMES)
def test_what_the_library_reports_today_adds_up_to_what_was_answered(live_server, family):
    system = new_system(family)
    settle()  # what tests before this one left
    with Stub() as stub:
        capture.run(family, stub=stub.url, otlp=live_server.url, token=ingest_token(system))
    settle()
    assert totals(system) == truth_of({"family": family, "truth": stub.truth})
