"""Do the cases of a golden set look like what users really send? Pure.

Length, language and the words that people use are compared as distributions, each with its population stability index
(metrics.judges.drift). Words stand in for topics: they need no model, and whoever reads them sees what is missing.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from metrics.judges.drift import Feature, compare

LEAST = 30
MISSING_SHARE = Decimal("0.02")  # a word of so many requests that no case has is worth a case
NAMED = 10
REPRESENTATIVE, DIFFERS, UNKNOWN = "representative", "differs", "unknown"
_WORD = re.compile(r"[^\W\d_]{2,}")
# The commonest short words tell languages of the Latin script apart; other scripts name themselves.
_TABLE = """
English the and is are you my what how can about please tell want with for this not
German der die das und ist sie mein wie was kann ich bitte nicht mit für eine ein
French le la les et est vous mon comment que puis je pas avec pour une un des
Spanish el la los y es usted mi cómo qué puedo por favor no con para una un
Italian il la gli e è lei mio come che posso per favore non con una un di
Dutch de het een en is u mijn hoe wat kan ik niet met voor alstublieft
"""
_SHORT = {name: frozenset(found) for name, *found in (line.split() for line in _TABLE.strip().splitlines())}
_TOPICLESS = "from they your have here there when where which will could should would"
_COMMON = frozenset().union(*_SHORT.values(), _TOPICLESS.split(" "))


@dataclass(frozen=True)
class Report:
    outcome: str
    sentence: str
    cases: int
    requests: int
    features: tuple[Feature, ...]
    missing: tuple[tuple[str, Decimal], ...]  # words of requests that no case has, with their share of the requests


def judge(cases: Sequence[str], requests: Sequence[str], *, psi_max: Decimal) -> Report:
    """`requests`: what users sent, a fair sample. `psi_max`: the policy's, as for drift."""
    features = compare(
        {"length (characters)": ([float(len(text)) for text in cases], [float(len(text)) for text in requests])},
        {
            "language": ([language(text) for text in cases], [language(text) for text in requests]),
            "words": ([word for text in cases for word in words(text)], [w for text in requests for w in words(text)]),
        },
        psi_max=psi_max,
        least=LEAST,
    )
    if min(len(cases), len(requests)) < LEAST:
        outcome, sentence = UNKNOWN, f"{len(cases)} cases and {len(requests)} requests; {LEAST} of each are needed."
    elif differing := [one.sentence for one in features if one.outcome == "drifted"]:
        outcome, sentence = DIFFERS, " ".join(differing)
    else:
        outcome, sentence = REPRESENTATIVE, f"Length, language and words lie within a stability index of {psi_max}."
    return Report(outcome, sentence, len(cases), len(requests), tuple(features), tuple(_missing(cases, requests)))


def words(text: str) -> set[str]:
    """The words of a text that carry its topic, each once."""
    found = {word.lower() for word in _WORD.findall(text)}
    return {word for word in found if len(word) >= 4 and word not in _COMMON}


def language(text: str) -> str:
    scripts = Counter(unicodedata.name(sign, "?").split()[0] for sign in text if sign.isalpha())
    if not scripts:
        return "none"
    script = scripts.most_common(1)[0][0]
    if script != "LATIN":
        return script.capitalize()
    found = [word.lower() for word in _WORD.findall(text)]
    counts = {name: sum(word in short for word in found) for name, short in _SHORT.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else "undetermined"


def _missing(cases: Sequence[str], requests: Sequence[str]) -> Iterator[tuple[str, Decimal]]:
    """The cases to add: what users often write and no case has."""
    known = set().union(*map(words, cases)) if cases else set()
    said = Counter(word for text in requests for word in words(text))
    for word, count in said.most_common():
        share = Decimal(count) / len(requests)
        if share < MISSING_SHARE:
            return
        if word not in known:
            yield word, share.quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
