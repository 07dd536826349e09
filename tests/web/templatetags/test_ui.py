"""Times, digests, money and meters, as people read them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import time_machine
from django import forms
from django.conf import settings
from django.template import Context, Template
from django.utils.html import strip_tags

from web.navigation import ACCOUNT, ADMIN, FINDERS, WORK
from web.templatetags import ui

NOW = datetime(2026, 11, 23, 21, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(seconds=-5), "in a moment"),
        (timedelta(seconds=59), "59 seconds ago"),
        (timedelta(seconds=90), "2 minutes ago"),
        (timedelta(minutes=59, seconds=50), "1 hour ago"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(hours=26), "yesterday"),
        (timedelta(days=-1), "tomorrow"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(days=7), "last week"),
        (timedelta(days=-90), "in 3 months"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_relative_time(ago, words):
    assert ui.relative(NOW - ago, NOW) == words


def test_times_carry_the_absolute_one_in_utc():
    there = datetime(2026, 11, 23, 23, 40, tzinfo=UTC) + timedelta(seconds=30)
    assert 'title="2026-11-23 23:40 UTC"' in ui.when(there)
    assert ">2026-11-23 23:40 UTC</time>" in ui.stamp(there)


@pytest.mark.parametrize("show", [ui.when, ui.stamp, ui.digest, ui.usd, ui.percent, ui.number, ui.ms])
def test_what_is_missing_is_called_unknown(show):
    assert strip_tags(show(None)) == "unknown"


@pytest.mark.parametrize(
    ("nano", "shown"),
    [
        (0, "$0.00"),
        (21_400_000_000, "$21.40"),
        (1_234_567_890_123, "$1,234.57"),
        (4_213_000, "$0.004213"),
        (4_213_789, "$0.004214"),
        (500_000_000, "$0.50"),
        (-2_000_000_000, "-$2.00"),
        (1, "$0.000000001"),
    ],
)
def test_money_is_readable_and_its_exact_sum_at_hand(nano, shown):
    assert strip_tags(ui.usd(nano)) == shown
    assert f"${Decimal(nano) / 10**9:f} exactly" in ui.usd(nano)


@pytest.mark.parametrize(
    ("share", "shown"), [("0.9931", "99.31 %"), ("0.01", "1 %"), (Decimal("0.015"), "1.5 %"), (0, "0 %")]
)
def test_shares_as_percent(share, shown):
    assert ui.percent(share) == shown.replace(" ", "\u00a0")


def test_digest_is_short_to_read_and_whole_to_copy():
    whole = "sha256:" + "9c1f04aa" + "0" * 52 + "e2aa"
    shown = ui.digest(whole)
    assert strip_tags(shown).strip() == "9c1f04aa…e2aa"
    assert f'data-copy="{whole}"' in shown
    assert f'data-full="{whole}"' in shown


def test_meter_shares_add_up_and_are_said():
    drawn = Template("{% load ui %}{% meter counts key=True %}").render(
        Context({"counts": {"verified": 2, "failed": 1, "stale": 0}})
    )
    assert 'aria-label="2 verified, 1 failed"' in drawn
    assert re.findall(r'data-tone="(\w+)" x="([\d.]+)%" width="([\d.]+)%"', drawn) == [
        ("ok", "0.000", "66.667"),
        ("bad", "66.667", "33.333"),
    ]
    assert "stale" not in drawn


def test_sparkline_leaves_a_gap_where_nothing_was_measured():
    drawn = Template("{% load ui %}{% sparkline values limit=5 %}").render(Context({"values": [1, 2, None, 3]}))
    assert drawn.count("<polyline") == 2
    assert drawn.count("<line ") == 1


def test_blocked_button_has_its_reason_and_does_not_submit():
    drawn = Template('{% load ui %}{% button "Sign" reason=why %}').render(Context({"why": "It is <no-go>."}))
    assert 'type="button"' in drawn
    assert 'aria-disabled="true"' in drawn
    described = re.search(r'aria-describedby="(\w+)"', drawn)
    assert described
    assert re.search(rf'id="{described[1]}">It is &lt;no-go&gt;\.', drawn)
    again = Template('{% load ui %}{% button "Sign" reason=why %}').render(Context({"why": "It is <no-go>."}))
    assert f'id="{described[1]}"' not in again, "two on one page are two"


def test_what_failed_is_read_first_and_many_alike_are_one_line():
    missing = [{"status": "missing", "sentence": str(number), "who": "product"} for number in range(20)]
    others = [{"status": "submitted", "sentence": "a"}, {"status": "failed", "sentence": "b"}, {"sentence": "c"}]
    found = ui.grouped([*missing, *others])
    assert [reason["sentence"] for reason in found["open"]] == ["b", "c", "a"]
    assert [(group["status"], len(group["reasons"]), group["who"]) for group in found["folded"]] == [
        ("missing", 20, "product")
    ]
    assert sum(len(group["reasons"]) for group in found["folded"]) + len(found["open"]) == 23


def test_a_few_reasons_are_never_folded():
    found = ui.grouped([{"status": "missing"}] * 8)
    assert (len(found["open"]), found["folded"]) == (8, [])


def test_optional_is_said_only_where_something_is_required():
    class Mixed(forms.Form):
        needed = forms.CharField()
        spare = forms.CharField(required=False)

    class Free(forms.Form):
        one = forms.CharField(required=False)

    assert [ui.says_optional(field) for field in Mixed()] == [False, True]
    assert not ui.says_optional(Free()["one"])


def test_browsers_are_named_for_people():
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36"
    assert ui.browser(agent) == "Chrome on Linux"
    assert ui.browser("readiness-cli/1.0") == "readiness-cli/1.0"


def test_every_icon_named_in_a_template_exists():
    folder = Path(settings.BASE_DIR) / "templates"
    named = {entry.icon for entry in (*WORK, *ADMIN, *ACCOUNT, *FINDERS)}
    for template in folder.rglob("*.html"):
        named.update(re.findall(r'icon[ =]"([a-z0-9-]+)"', template.read_text()))
    assert len(named) > 30
    for name in sorted(named):
        assert ui.icon(name).startswith("<svg"), name


def test_a_row_is_drawn_once_for_the_same_facts_and_anew_when_its_time_reads_otherwise():
    facts = {"key": "a.b", "title": "An <item>", "status": "missing", "url": "/x/", "due_at": NOW + timedelta(days=3)}
    row = "releases/parts/item_row.html"
    facts |= {"owner": "Ella", "owner_role": "engineering"}
    with time_machine.travel(NOW, tick=False):
        drawn = ui.kept(row, facts)
        assert ui.kept(row, dict(facts)) is drawn
        assert "An &lt;item&gt;" in drawn and "in 3 days" in drawn and "c-pick" not in drawn
        assert "c-pick" in ui.kept(row, facts, several=True)
        assert "Otto" in ui.kept(row, facts | {"owner": "Otto"})
    with time_machine.travel(NOW + timedelta(days=1), tick=False):
        assert "in 2 days" in ui.kept(row, facts)
