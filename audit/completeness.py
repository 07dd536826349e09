"""What lies between two signed heads: that the later log continues the earlier one, and that nothing is missing.

An auditor asks for two days. The answer is a statement that can be checked without us: both heads as they were signed,
the consistency proof between their trees (RFC 6962, 2.1.2), and the count of what lies between them.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Max, Min

from audit import proofs
from audit.leaf import ERASED
from audit.merkle import ProofError
from audit.models import Checkpoint, Entry, Payload
from web.problems import NotFound, Problem


class NotConsistent(Problem):
    """The stored log does not lead from one signed head to the other."""

    code = "log-not-consistent"


class NoSuchHead(NotFound):
    code = "no-such-head"


@dataclass(frozen=True)
class Between:
    """`old` is None where the span begins with the first entry: every log continues the empty one."""

    old: Checkpoint | None
    new: Checkpoint
    proof: tuple[bytes, ...]
    problem: str  # why the log does not continue; empty: it does
    entries: int
    expected: int
    erased: int
    lost: int  # entries whose payload is gone, and no tombstone says why
    first_at: datetime | None
    last_at: datetime | None
    kinds: tuple[tuple[str, int], ...]

    @property
    def start(self) -> int:
        return self.old.size if self.old else 0

    @property
    def complete(self) -> bool:
        return not self.problem and self.entries == self.expected and not self.lost

    @property
    def sentence(self) -> str:
        if self.problem:
            return f"The log does not continue from one head to the other: {self.problem}."
        if self.entries != self.expected:
            return f"{self.expected - self.entries} of {self.expected} entries are missing between the two heads."
        if self.lost:
            return f"The payload of {self.lost} entries is gone, and no entry says that it was erased."
        said = f"; the payload of {self.erased} of them was erased, each with an entry that says so"
        erased = said if self.erased else ""
        return f"All {self.expected:,} entries between the two heads are there{erased}."


def at_day(*, until: datetime) -> Checkpoint | None:
    """The last head that was signed before a moment."""
    return Checkpoint.objects.filter(signed_at__lt=until).order_by("size").last()


def of_size(size: int) -> Checkpoint:
    found = Checkpoint.objects.filter(size=size).first()
    if found is None:
        raise NoSuchHead(f"No head of {size} entries was signed here. If you hold one, keep it: it is evidence.")
    return found


def of_days(since: date, until: date) -> Between | None:
    """From the last head before the first day to the last head of the last day; None where nothing was signed by then.

    Days are UTC, both included.
    """
    first, end = sorted((since, until))
    new = at_day(until=datetime.combine(end + timedelta(days=1), time(), UTC))
    return None if new is None else between(at_day(until=datetime.combine(first, time(), UTC)), new)


def between(old: Checkpoint | None, new: Checkpoint) -> Between:
    """Reads both trees' hashes, and counts what lies between. The walk from payload to root is `manage.py verify`."""
    if old is not None and old.size > new.size:
        old, new = new, old
    proof: tuple[bytes, ...] = ()
    problem = ""
    if old is not None:
        try:
            proof = tuple(proofs.consistency(old, new))
        except ProofError as error:
            problem = str(error)
    start = old.size if old else 0
    rows = Entry.objects.filter(index__gte=start, index__lt=new.size)
    bounds = rows.aggregate(first=Min("recorded_at"), last=Max("recorded_at"))
    kinds = Counter(rows.values_list("kind", flat=True))
    without = rows.exclude(index__in=Payload.objects.filter(index__gte=start, index__lt=new.size).values("index"))
    gone = {f"entry:{index}" for index in without.values_list("index", flat=True)}
    tombstones = set(Entry.objects.filter(kind=ERASED, subject__in=gone).values_list("subject", flat=True))
    return Between(
        old=old,
        new=new,
        proof=proof,
        problem=problem,
        entries=sum(kinds.values()),
        expected=new.size - start,
        erased=len(gone & tombstones),
        lost=len(gone - tombstones),
        first_at=bounds["first"],
        last_at=bounds["last"],
        kinds=tuple(kinds.most_common()),
    )
