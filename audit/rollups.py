"""Sums per quarter of an hour, kept so that rates, budgets and charts never scan requests.

A quarter of an hour, because every time zone's midnight falls on one: a budget day is a whole number of buckets. What a
request or call adds is a pure function of its row; deriving it again subtracts what the old row added and adds what the
new one does, so the sums always equal a count over the rows.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db.models import Q, QuerySet

from audit.histogram import add, bin_of
from audit.models import Call, Request, Rollup, Spend

BUCKET = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

REQUEST_SUMS = (
    "requests",
    "errors",
    "schema_checked",
    "schema_valid",
    "with_sources",
    "with_request_id",
    "unapproved",
    "cost_nanousd",
    "cost_known",
    "retries",
    "timeouts",
)
SPEND_SUMS = ("calls", "calls_unknown", "tokens_in", "tokens_out", "cost_nanousd")

type RollupKey = tuple[str, datetime, str, str]
type SpendKey = tuple[str, datetime, str, str, str]


def bucket_of(at: datetime) -> datetime:
    """The start of the bucket that `at` lies in."""
    return _EPOCH + (at - _EPOCH) // BUCKET * BUCKET


def sums_of(request: Request) -> dict[str, int]:
    """What one request adds."""
    return {
        "requests": 1,
        "errors": int(request.failed),
        "schema_checked": int(request.output_ok is not None),
        "schema_valid": int(request.output_ok is True),
        "with_sources": int(bool(request.source_ids)),
        "with_request_id": int(request.with_request_id),
        "unapproved": int(request.approval == Request.Approval.UNAPPROVED),
        "cost_nanousd": request.cost_nanousd or 0,
        "cost_known": int(request.cost_nanousd is not None),
        "retries": request.retries,
        "timeouts": request.timeouts,
    }


def spend_of(call: Call) -> dict[str, int]:
    return {
        "calls": 1,
        "calls_unknown": int(call.cost_nanousd is None),
        "tokens_in": call.tokens_in or 0,
        "tokens_out": call.tokens_out or 0,
        "cost_nanousd": call.cost_nanousd or 0,
    }


@dataclass
class Delta:
    """What a run of derivation changes, summed up before it is written."""

    requests: defaultdict[RollupKey, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    latency: defaultdict[RollupKey, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    spend: defaultdict[SpendKey, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def request(self, row: Request, sign: int) -> None:
        key = (row.system, bucket_of(row.started_at), row.environment, row.release)
        for name, value in sums_of(row).items():
            self.requests[key][name] += sign * value
        self.latency[key][bin_of(row.duration_us)] += sign

    def call(self, row: Call, sign: int) -> None:
        key = (row.system, bucket_of(row.started_at), row.environment, row.release, row.tenant)
        for name, value in spend_of(row).items():
            self.spend[key][name] += sign * value

    def apply(self) -> None:
        """Adds to the stored sums. One writer at a time: the caller holds the derivation lock."""
        rollups = {_rollup_key(row): row for row in _stored(Rollup.objects.all(), self.requests)}
        for key, sums in self.requests.items():
            system, bucket, environment, release = key
            rollup = rollups.setdefault(
                key, Rollup(system=system, bucket=bucket, environment=environment, release=release)
            )
            for name, value in sums.items():
                setattr(rollup, name, getattr(rollup, name) + value)
            for index, count in self.latency[key].items():
                if count:
                    rollup.latency = add(rollup.latency, index, count)
        Rollup.objects.bulk_create(
            rollups.values(),
            update_conflicts=True,
            unique_fields=["system", "bucket", "environment", "release"],
            update_fields=[*REQUEST_SUMS, "latency"],
        )
        spends = {_spend_key(row): row for row in _stored(Spend.objects.all(), self.spend)}
        for spend_key, sums in self.spend.items():
            system, bucket, environment, release, tenant = spend_key
            spend = spends.setdefault(
                spend_key,
                Spend(system=system, bucket=bucket, environment=environment, release=release, tenant=tenant),
            )
            for name, value in sums.items():
                setattr(spend, name, getattr(spend, name) + value)
        Spend.objects.bulk_create(
            spends.values(),
            update_conflicts=True,
            unique_fields=["system", "bucket", "environment", "release", "tenant"],
            update_fields=SPEND_SUMS,
        )


def _stored[M: (Rollup, Spend)](rows: QuerySet[M], keys: Iterable[tuple[object, ...]]) -> Iterator[M]:
    wanted = set(keys)
    systems, buckets = {key[0] for key in wanted}, {key[1] for key in wanted}
    for row in rows.filter(Q(system__in=systems) & Q(bucket__in=buckets)):
        key = _rollup_key(row) if isinstance(row, Rollup) else _spend_key(row)
        if key in wanted:
            yield row


def _rollup_key(row: Rollup) -> RollupKey:
    return (row.system, row.bucket, row.environment, row.release)


def _spend_key(row: Spend) -> SpendKey:
    return (row.system, row.bucket, row.environment, row.release, row.tenant)
