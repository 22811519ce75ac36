"""``python -m tests.bench.sequential``: how often a test names a winner where there is none, and how long it takes.

Each stream of votes is looked at after every pair of votes, by the sequential test and by the usual test of two
proportions (z, pooled, from ten votes each); where the variants differ, beside how many votes that one needs at 80 %
power if it is looked at once.
"""

import math
import random
import sys
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import Final

from activities.experiments.sequential import PRIOR, Evidence, evidence

STREAMS: Final = 2000
LONGEST: Final = 1000
ALPHA: Final = 0.05
SHARES: Final = ((0.5, 0.8), (0.6, 0.8), (0.8, 0.9))


def streams(seed: int, first: float, second: float, streams_wanted: int) -> Iterator[tuple[list[bool], list[bool]]]:
    """Yield the votes on two variants."""
    chance = random.Random(seed)  # noqa: S311 -- a simulation
    for _ in range(streams_wanted):
        yield [chance.random() < first for _ in range(LONGEST)], [chance.random() < second for _ in range(LONGEST)]


def usual(first: Sequence[bool], second: Sequence[bool]) -> bool:
    """Tell whether the usual test ever says that they differ, if one looks after every pair."""
    bound = NormalDist().inv_cdf(1 - ALPHA / 2)
    good = [0, 0]
    for votes, pair in enumerate(zip(first, second, strict=True), start=1):
        good = [good[0] + pair[0], good[1] + pair[1]]
        pooled = sum(good) / (2 * votes)
        spread = math.sqrt(2 * pooled * (1 - pooled) / votes)
        if votes >= 10 and spread and abs(good[0] - good[1]) / votes > bound * spread:
            return True
    return False


def votes_until(found: Evidence, first: Sequence[bool], second: Sequence[bool]) -> int:
    """Return after how many votes on each variant the winner was known; beyond the last where it never was."""
    if found.first_is_better is None:
        return LONGEST + 1
    low, high = 1, LONGEST
    while low < high:
        middle = (low + high) // 2
        known = evidence(first[:middle], second[:middle], ALPHA).first_is_better is not None
        low, high = (low, middle) if known else (middle + 1, high)
    return low


def looked_at_once(first: float, second: float) -> int:
    """Return how many votes on each variant the usual test needs for a power of 80 %."""
    normal = NormalDist()
    sure = normal.inv_cdf(1 - ALPHA / 2) + normal.inv_cdf(0.8)
    return math.ceil(sure**2 * (first * (1 - first) + second * (1 - second)) / (second - first) ** 2)


def main() -> None:
    """Print both tables."""
    out = sys.stdout.write
    out(f"{STREAMS:,} streams of {LONGEST:,} votes on each variant, alpha {ALPHA}, prior {PRIOR}\n\n")
    out("| both are good | named a winner | the usual test, looked at as often | ratio |\n|---|---|---|---|\n")
    for share in (0.2, 0.5, 0.8):
        pairs = list(streams(1, share, share, STREAMS))
        ours = sum(evidence(*pair, ALPHA).first_is_better is not None for pair in pairs) / STREAMS
        theirs = sum(usual(*pair) for pair in pairs) / STREAMS
        out(f"| {share:.0%} | {ours:.1%} | {theirs:.1%} | {ours / theirs:.2f} |\n")
    out("\n| good | votes on each: half of the streams | 9 of 10 | wrong winner | the usual test, looked at once |\n")
    out("|---|---|---|---|---|\n")
    for first, second in SHARES:
        found = [(evidence(*pair, ALPHA), pair) for pair in streams(2, first, second, STREAMS // 4)]
        needed = sorted(votes_until(one, *pair) for one, pair in found)
        wrong = sum(bool(one.first_is_better) for one, _ in found) / len(found)
        half, most = needed[len(needed) // 2], needed[len(needed) * 9 // 10]
        once = looked_at_once(first, second)
        out(f"| {first:.0%} and {second:.0%} | {half} | {most} | {wrong:.1%} | {once} ({half / once:.2f}) |\n")


if __name__ == "__main__":
    main()
