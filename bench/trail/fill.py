"""A trail of ten million spans, in minutes: `python -m bench.trail fill`. Kept in .data-bench for the measurements.

Two thousand requests are drawn and go through the product's own code: mapped, priced, hashed, summed up. PostgreSQL
then multiplies them: each copy has its own ids and times, and its own leaf, whose canonical text is put together
from the original's pieces and hashed by the database. Afterwards the product's own sequencer numbers and signs the
log, and the result is checked by the product's code on a sample: rows hash to their leaves,
requests are what deriving makes. Left out are HTTP, the search for personal data and the encrypted payloads.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection

from audit import canonical, fingerprints, partitions, spanlog, trail
from audit.approval import Approved
from audit.contract import IngestProfile
from audit.copying import copy_into, copy_rows
from audit.derivation import _call_rows, row_of
from audit.fingerprints import approvals_of
from audit.ingest.mapping import read_span
from audit.ingest.prepare import Source, _cost, _row, _split
from audit.ingest.rows import COLUMNS, LEAF_FIELDS, column_types, leaf_bytes, values_of
from audit.ingest.shape import shape_of
from audit.ingest.wire import WireSpan
from audit.models import Call, Request, Span, SpanLog
from audit.summary import summarise
from bench.trail.traffic import (
    ENVIRONMENT,
    MODELS,
    PROMPT_HASHES,
    RELEASES,
    SPANS,
    SYSTEM,
    Traffic,
    resource,
)

VARIANTS = 2_000
DAYS = 30
PER_BATCH = 2_000  # spans
CHUNK = 20_000  # requests in one statement
_ORIGIN = datetime(2020, 1, 1, tzinfo=UTC)
_SUMS = Path(__file__).parents[2] / "audit" / "migrations" / "0004_trail_sums_before.sql"


def fill(spans: int, *, until: datetime) -> None:
    if (there := SpanLog.objects.get().size) >= spans:
        print(f"{there:,} spans are there already.", flush=True)
        return
    until = until.replace(minute=0, second=0, microsecond=0)
    since = until - timedelta(days=DAYS)
    partitions.make(since.date() + timedelta(days=day) for day in range(DAYS + 2))
    _approve(since)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET synchronous_commit = off")
        _templates(cursor, since)
        began = time.monotonic()
        requests = spans // SPANS
        for lo in range(0, requests, CHUNK):
            _multiply(cursor, lo, min(lo + CHUNK, requests), requests, since)
            if lo % (CHUNK * 10) == 0:
                _say(f"{lo * SPANS:,} spans", began)
        _say(f"{spans:,} spans and {requests:,} requests stored", began)
        began = time.monotonic()
        _sum_up(cursor)
        _say("summed up", began)
        began = time.monotonic()
        _sequence()
        _say("numbered and signed", began)
        began = time.monotonic()
        for table in ("audit_span", "audit_request", "audit_call", "audit_span_batch", "audit_rollup"):
            cursor.execute(f"VACUUM (ANALYZE) {table}")
        _say("vacuumed", began)
    _check(requests)


def _say(what: str, began: float) -> None:
    print(f"{what} in {time.monotonic() - began:.0f} s", flush=True)


def _approve(since: datetime) -> None:
    """All but the first two hours are approved traffic."""
    for number, label in enumerate(RELEASES):
        fingerprints.approve(
            system=SYSTEM,
            release_label=label,
            release_id=f"bench-{label}",
            fingerprint={"prompt_hash": [PROMPT_HASHES[number]], "model": list(MODELS), "release": [label]},
            share=None,
            now=since + timedelta(hours=2),
        )


def _templates(cursor: Any, since: datetime) -> None:
    """The drawn requests as rows of temporary tables, by the product's own code."""
    cursor.execute("CREATE TEMP TABLE t_span (LIKE audit_span, variant int, nth int, pieces text[])")
    cursor.execute("CREATE TEMP TABLE t_request (LIKE audit_request)")
    cursor.execute("CREATE TEMP TABLE t_call (LIKE audit_call)")
    source = Source(SYSTEM, ENVIRONMENT, 0, IngestProfile())
    approvals = [_always(approval) for approval in approvals_of(SYSTEM)]
    traffic, spans, requests, calls = Traffic("fill"), [], [], []
    for variant in range(VARIANTS):
        release = variant * len(RELEASES) // VARIANTS
        rows = list(_rows(traffic.request(_ORIGIN, release), release, source))
        for nth, row in enumerate(rows):
            values = values_of(row)
            spans.append([*values, b"\0" * 32, row.trace_id, nth, _ORIGIN, variant, nth, _pieces(row)])
        summary = summarise(rows)
        request = row_of(summary, approvals, now=_ORIGIN)
        requests.append(request)
        calls += _call_rows(summary)
    copy_rows(
        cursor, "t_span", [*COLUMNS, "variant", "nth", "pieces"], [*column_types(), "int4", "int4", "text[]"], spans
    )
    for model, rows, name in ((Request, requests, "t_request"), (Call, calls, "t_call")):
        table = model._meta.db_table
        model._meta.db_table = name
        try:
            copy_into(model, rows)
        finally:
            model._meta.db_table = table
    cursor.execute("ALTER TABLE t_request ADD variant int; ALTER TABLE t_call ADD variant int")
    for name in ("t_request", "t_call"):
        cursor.execute(
            f"UPDATE {name} t SET variant = s.variant FROM t_span s WHERE s.trace_id = t.trace_id AND s.nth = 0"
        )
    cursor.execute(
        "CREATE INDEX ON t_span (variant); CREATE INDEX ON t_request (variant); CREATE INDEX ON t_call (variant)"
    )
    cursor.execute("ANALYZE t_span; ANALYZE t_request; ANALYZE t_call")


def _always(approval: Approved) -> Approved:
    return Approved(approval.release_id, approval.release_label, approval.fingerprint, _ORIGIN, None)


def _rows(request: Sequence[dict[str, Any]], release: int, source: Source) -> Iterator[Any]:
    for facts in request:
        span = WireSpan(**facts, status_message="", resource=resource(release), scope="bench")
        shape = shape_of(span.attributes, profile=source.profile, resource=span.resource)
        reading = read_span(span, shape.places)
        row = _row(span, reading, source, Counter())
        row.attributes = {key: value for key, value in _split(span.attributes, shape)[0].items() if key not in _OWN}
        row.resource = span.resource
        row.cost_nanousd, row.price_source = _cost(reading, {}, datetime.now(UTC).replace(minute=0, second=0))
        row.output_ok = reading.output_valid
        row.contract_source = "claimed" if reading.output_valid is not None else ""
        yield row


_OWN = ("readiness.request_id", "gen_ai.response.id")  # every copy has its own: they are columns


def _pieces(row: Any) -> list[str]:
    """The leaf's canonical text, cut where a copy differs: parent, quoted id, own id, start, trace."""
    text = leaf_bytes(row).decode()
    pieces = []
    for key, value in (
        ("parent_id", row.parent_id),
        ("request_id", row.request_id),
        ("span_id", row.span_id),
        ("started_at", canonical.plain(row.started_at)),
        ("trace_id", str(row.trace_id)),
    ):
        before, found, text = text.partition(f'"{key}":"{value}"')
        assert found, key
        pieces.append(before)
    return [*pieces, text]


_TRACE = "md5('trace ' || g)::uuid"
_AT = "%(since)s::timestamptz + (g * interval '1 microsecond' * %(step)s)"
# Copies of one release are those of a quarter of the time: which of its variants is scattered by the id.
_VARIANT = (
    "(g * %(releases)s / %(requests)s) * %(each)s"
    " + ('x' || substr(md5('variant ' || g), 1, 7))::bit(28)::int %% %(each)s"
)


def _multiply(cursor: Any, lo: int, hi: int, requests: int, since: datetime) -> None:
    values = {
        "lo": lo,
        "hi": hi - 1,
        "since": since,
        "step": DAYS * 86_400_000_000 // requests,
        "requests": requests,
        "releases": len(RELEASES),
        "each": VARIANTS // len(RELEASES),
        "origin": _ORIGIN,
        "per": PER_BATCH // SPANS,
    }
    own = {
        "trace_id": "c.trace",
        "span_id": "substr(md5('span ' || c.g || t.nth), 1, 16)",
        "parent_id": "CASE WHEN t.parent_id = '' THEN '' ELSE substr(md5('span ' || c.g || 0), 1, 16) END",
        "started_at": "c.at + (t.started_at - %(origin)s)",
        "request_id": "CASE WHEN t.request_id = '' THEN '' ELSE c.quoted END",
    }
    chosen = ", ".join(own.get(name, f"t.{name}") for name in LEAF_FIELDS)
    cursor.execute(
        f"""
        CREATE TEMP TABLE made AS
        SELECT {", ".join(f"s.{name}" for name in LEAF_FIELDS)},
               sha256('\\x00'::bytea || convert_to(concat(
                   s.pieces[1], '"parent_id":"', s.parent_id, '"', s.pieces[2], '"request_id":"', s.request_id, '"',
                   s.pieces[3], '"span_id":"', s.span_id, '"',
                   s.pieces[4], '"started_at":"',
                   to_char(s.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                   '"', s.pieces[5], '"trace_id":"', s.trace_id, '"', s.pieces[6]), 'UTF8')) AS leaf_hash,
               md5('batch ' || s.batch)::uuid AS batch_id,
               (row_number() OVER (PARTITION BY s.batch ORDER BY s.trace_id, s.span_id))::int - 1 AS position,
               s.at AS received_at
          FROM (SELECT {chosen}, t.pieces, c.batch, c.at FROM (
                  SELECT g, {_TRACE} AS trace, {_AT} AS at, {_VARIANT} AS variant, g / %(per)s AS batch,
                         'req-' || substr(md5('trace ' || g), 1, 16) AS quoted
                    FROM generate_series(%(lo)s::bigint, %(hi)s) g) c
                JOIN t_span t USING (variant)) AS s ({", ".join(LEAF_FIELDS)}, pieces, batch, at)
        """,
        values,
    )
    cursor.execute(f"INSERT INTO audit_span ({', '.join(COLUMNS)}) SELECT {', '.join(COLUMNS)} FROM made")
    cursor.execute(
        """
        INSERT INTO audit_span_batch (id, system, environment, received_at, count, leaves, traces, profile, redaction,
                                      found, refused, first_at, last_at)
        SELECT batch_id, min(system), min(environment), max(received_at), count(*),
               string_agg(leaf_hash, '' ORDER BY position), array_agg(DISTINCT trace_id),
               0, 'bench', '{}', '{}', min(started_at), max(started_at)
          FROM made GROUP BY batch_id
        """
    )
    cursor.execute("DROP TABLE made")
    for model, name in ((Request, "t_request"), (Call, "t_call")):
        _copies(cursor, model, name, values)


def _copies(cursor: Any, model: Any, name: str, values: dict[str, Any]) -> None:
    """What was derived for the original, for each copy."""
    columns = [str(field.column) for field in model._meta.concrete_fields]
    nth = "0" if model is Request else "3"
    own = {
        "id": "gen_random_uuid()",
        "trace_id": "c.trace",
        "started_at": "c.at + (t.started_at - %(origin)s)",
        "derived_at": "c.at",
        "request_id": "c.quoted",
        "entry_span_id": "substr(md5('span ' || c.g || 0), 1, 16)",
        "span_id": f"substr(md5('span ' || c.g || {nth}), 1, 16)",
        "approval": "CASE WHEN c.at < %(since)s + interval '2 hours' THEN 'unapproved' ELSE t.approval END",
        "approved_release_id": "CASE WHEN c.at < %(since)s + interval '2 hours' THEN '' ELSE t.approved_release_id END",
    }
    cursor.execute(
        f"""
        INSERT INTO {model._meta.db_table} ({", ".join(columns)})
        SELECT {", ".join(own.get(column, f"t.{column}") for column in columns)} FROM (
            SELECT g, {_TRACE} AS trace, {_AT} AS at, {_VARIANT} AS variant,
                   'req-' || substr(md5('trace ' || g), 1, 16) AS quoted
              FROM generate_series(%(lo)s::bigint, %(hi)s) g) c
        JOIN {name} t USING (variant)
        """,
        values,
    )


def _sum_up(cursor: Any) -> None:
    """The rollups by SQL over all rows, as the migration does for rows of before. Those of earlier runs are in them."""
    cursor.execute("TRUNCATE audit_rollup, audit_componentrollup, audit_spend")
    cursor.execute(
        """
        INSERT INTO audit_rollup (system, environment, release, width, bucket, requests, errors, schema_checked,
            schema_valid, with_sources, with_request_id, unapproved, cost_nanousd, cost_known, retries, timeouts,
            latency)
        SELECT system, environment, release, 15, bucket, sum(n), sum(errors), sum(checked), sum(valid), sum(sources),
               sum(ids), sum(unapproved), sum(cost), sum(known), sum(retries), sum(timeouts), (
                   SELECT array_agg(coalesce(n, 0) ORDER BY i) FROM generate_series(0, max(bin)) AS i
                     LEFT JOIN unnest(array_agg(bin), array_agg(n::integer)) AS filled (b, n) ON b = i)
          FROM (
            SELECT system, environment, release, date_bin('15 minutes', started_at, '1970-01-01Z') AS bucket,
                   CASE WHEN duration_us <= 1000 THEN 0
                        ELSE least(ceil(ln(duration_us / 1000.0) / ln(1.02) - 1e-9), 888)::integer END AS bin,
                   count(*) AS n, count(*) FILTER (WHERE failed) AS errors,
                   count(*) FILTER (WHERE output_ok IS NOT NULL) AS checked, count(*) FILTER (WHERE output_ok) AS valid,
                   count(*) FILTER (WHERE cardinality(source_ids) > 0) AS sources,
                   count(*) FILTER (WHERE with_request_id) AS ids,
                   count(*) FILTER (WHERE approval = 'unapproved') AS unapproved,
                   coalesce(sum(cost_nanousd), 0) AS cost, count(cost_nanousd) AS known,
                   sum(retries) AS retries, sum(timeouts) AS timeouts
              FROM audit_request GROUP BY 1, 2, 3, 4, 5
          ) binned GROUP BY system, environment, release, bucket
        """
    )
    cursor.execute(_SUMS.read_text())
    cursor.execute(
        """
        INSERT INTO audit_spend (system, environment, release, tenant, bucket, calls, calls_unknown, tokens_in,
                                 tokens_out, cost_nanousd)
        SELECT system, environment, release, tenant, date_bin('15 minutes', started_at, '1970-01-01Z'), count(*),
               count(*) FILTER (WHERE cost_nanousd IS NULL), sum(coalesce(tokens_in, 0)), sum(coalesce(tokens_out, 0)),
               sum(coalesce(cost_nanousd, 0))
          FROM audit_call GROUP BY 1, 2, 3, 4, 5
        """
    )


def _sequence() -> None:
    now = datetime.now(UTC)
    spanlog.sequence(now=now)
    spanlog.sign_head(now=now)
    log = SpanLog.objects.get()
    SpanLog.objects.update(derived_to=log.size)


def _check(requests: int) -> None:
    """A sample by the product's own code: sealed as received, and derived as stored."""
    step = max(1, requests // 100)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'req-' || substr(md5('trace ' || g), 1, 16) FROM generate_series(0, %s, %s) g", [requests - 1, step]
        )
        ids = [row[0] for row in cursor.fetchall()]
    for quoted in ids:
        (view,) = trail.find(quoted)
        sealed, sentence = trail.check(view)
        assert sealed, sentence
        stored = Request.objects.get(request_id=quoted, system=SYSTEM)
        rows = [span.row for span in view.spans]
        made = row_of(summarise(rows), approvals_of(SYSTEM), now=stored.derived_at)
        for field in Request._meta.concrete_fields:
            if field.attname != "id":
                assert getattr(made, field.attname) == getattr(stored, field.attname), (quoted, field.attname)
    print(f"{len(ids)} requests checked: sealed, and what deriving them makes.", flush=True)
    assert Span.objects.filter(trace_id=view.trace_id).count() == SPANS
