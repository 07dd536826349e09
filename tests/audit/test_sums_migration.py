"""Migration 0004 on the rows of before: what it sums up is what the worker makes of the same rows."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from audit.migrations import __path__ as folders
from audit.models import ComponentRollup, Rollup
from audit.rollups import COMPONENT_SUMS, QUARTER, REQUEST_SUMS
from tests.audit.sending import chat_trace
from tests.audit.trailing import new_system, send, settle

pytestmark = pytest.mark.django_db


def sums(model, names, keys, system):
    rows = model.objects.filter(system=system)
    return {
        tuple(getattr(row, key) for key in keys): (*(getattr(row, name) for name in names), row.latency) for row in rows
    }


def both(system):
    return (
        sums(Rollup, REQUEST_SUMS, ("environment", "release", "width", "bucket"), system),
        sums(ComponentRollup, COMPONENT_SUMS, ("environment", "release", "component", "width", "bucket"), system),
    )


def test_old_rows_are_summed_up_as_the_worker_does_it():
    system, now = new_system("older"), timezone.now()
    for number in range(12):
        trace = chat_trace(
            start=now - timedelta(minutes=5 + 37 * number), release=f"2026.11.{number % 3}",
            readiness__retries=number % 2, readiness__timeout=number == 5,
        )  # fmt: skip
        if number % 4 == 0:
            trace[0] |= {"status": {"code": 2}}
        send(*trace, system=system)
    settle()
    requests, components = both(system)
    assert {key[2] for key in requests} == {15, 60, 1440}
    assert len(components) > 12
    # As it was before 0004: quarter hours of requests, no sums of components. Other systems' rows stay out of the way.
    ComponentRollup.objects.all().delete()
    Rollup.objects.exclude(width=QUARTER).delete()
    with open(f"{folders[0]}/0004_trail_sums_before.sql") as file, connection.cursor() as cursor:
        cursor.execute(file.read())
    assert both(system) == (requests, components)
