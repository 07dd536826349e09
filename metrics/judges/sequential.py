"""Tests that may be looked at after every window: the chance that they ever raise a false alarm is bounded.

Both are e-processes: wealth that a gambler betting against "nothing is wrong" would have. If nothing is wrong, it ever
reaches 1/alpha with probability at most alpha (Ville's inequality), whenever and however often one looks. See Ramdas,
Gruenwald, Vovk, Shafer, Game-Theoretic Statistics and Safe Anytime-Valid Inference, Statistical Science 2023. Pure.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from math import log, log1p

# How much worse the bets assume it to be: as a multiple of the odds. Equal stakes on each; the best one dominates soon.
_ODDS = (1.25, 1.5, 2.0, 4.0, 8.0, 32.0)


@dataclass(frozen=True)
class Block:
    """What one window showed of both sides: how many requests, and how many of them were bad.

    A count that was estimated may have a fraction: the bets are convex in it, so the bounds hold all the same.
    """

    requests: int
    bad: float
    baseline_requests: int
    baseline_bad: float


def log_wealth_above(requests: int, bad: float, limit: float) -> float:
    """Natural logarithm of the evidence that the true share of bad requests is above `limit`.

    The mean, over the bets p1 > p0 = limit, of the likelihood ratio of `bad` in `requests`. For every true share up to
    p0 each ratio is a supermartingale that starts at 1, so the mean is one too.
    """
    if not 0 < limit < 1:
        raise ValueError("A limit is a share between 0 and 1, neither of them.")
    logs = []
    for odds in _ODDS:
        share = _raise_odds(limit, odds)
        good = requests - bad
        logs.append(bad * math.log(share / limit) + good * math.log((1 - share) / (1 - limit)))
    return _log_mean(logs)


def log_wealth_worse(blocks: Iterable[Block]) -> float:
    """Natural logarithm of the largest evidence so far that the canary is worse than the baseline in the same windows.

    Per window and bet, the e-variable for two streams of yes/no data of Turner, Ly and Gruenwald (Generic E-variables
    for exact sequential k-sample tests that allow for optional stopping, 2024): the likelihood under "baseline has
    share a, canary has the higher share b" over that under their pooled share. It stays valid when the common share
    moves from window to window. `a` is guessed from the windows before, so no bet knows its own outcome; a poor guess
    costs power, never validity.
    """
    wealth = [0.0] * len(_ODDS)
    best = 0.0
    seen, bad = 0, 0.0
    for block in blocks:
        guess = (bad + 0.5) / (seen + 50)
        both = block.requests + block.baseline_requests
        if block.requests and block.baseline_requests:
            # Written out and hoisted: this loop is most of what watching costs.
            bad_here, all_bad = block.bad, block.bad + block.baseline_bad
            good_here, all_good = block.requests - bad_here, both - all_bad
            baseline = _log_likelihood(block.baseline_requests, block.baseline_bad, guess)
            for index, odds in enumerate(_ODDS):
                worse = _raise_odds(guess, odds)
                pooled = (block.requests * worse + block.baseline_requests * guess) / both
                wealth[index] += (
                    bad_here * log(worse)
                    + good_here * log1p(-worse)
                    + baseline
                    - (all_bad * log(pooled) + all_good * log1p(-pooled))
                )
            best = max(best, _log_mean(wealth))
        seen += block.baseline_requests
        bad += block.baseline_bad
    return best


def p_value(log_wealth: float) -> float:
    """Always-valid p-value: one over the largest wealth, at most 1."""
    return min(1.0, math.exp(-max(log_wealth, 0.0)))


def _raise_odds(share: float, times: float) -> float:
    odds = share / (1 - share) * times
    return odds / (1 + odds)


def _log_likelihood(requests: int, bad: float, share: float) -> float:
    return bad * math.log(share) + (requests - bad) * math.log1p(-share)


def _log_mean(logs: list[float]) -> float:
    top = max(logs)
    return top + math.log(sum(math.exp(value - top) for value in logs) / len(logs))
