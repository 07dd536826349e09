"""The page on which a probe is awaited."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from jobs.models import Job
from releases.actions.probing import order_probe
from releases.tasks import probe_contract
from tests.browser import DESKTOP, between_requests
from tests.factories import INPUT_SCHEMA, sign_in
from tests.metrics.test_probe import staging  # noqa: F401  (a fixture)

KEY = "contracts.violations-rejected"

pytestmark = pytest.mark.browser


def test_when_it_ends_the_evidence_is_shown_and_what_was_typed_is_kept(
    now_stage,
    staging,  # noqa: F811
    browser_page,
    monkeypatch,
):
    monkeypatch.setattr("tests.metrics.test_probe.SCHEMA", INPUT_SCHEMA)
    engineer, release = now_stage.people.engineer, now_stage.release
    sign_in(engineer)
    probe = order_probe(release_id=release.pk, key=KEY, url=staging.url, by=engineer, now=timezone.now())
    page = browser_page(user=engineer, width=DESKTOP)
    page.goto(f"/systems/{now_stage.system.slug}/releases/{release.label}/items/{KEY}/")
    evidence, comment = page.locator("#evidence"), page.locator("#comments textarea")
    heading = page.locator("#heading")
    expect(heading).to_contain_text("Verified")
    expect(page.locator("#probe progress")).to_be_visible()
    expect(evidence).not_to_contain_text("Contract probe:")
    comment.fill("Half a thought")
    with between_requests:
        probe_contract.run(job_id=str(Job.objects.get(key=probe.job_key).pk))
    expect(evidence).to_contain_text("Contract probe:")
    expect(heading.locator(".pill")).not_to_contain_text("Verified")
    expect(page.locator("#history")).to_contain_text("Contract probe:")
    expect(comment).to_have_value("Half a thought")
    item = release.items.get(key=KEY)
    seen = page.locator("input[name=revision]").evaluate_all("inputs => inputs.map(input => input.value)")
    assert seen and set(seen) == {str(item.revision)}
