"""Confidence intervals of shares. Pure functions."""

import math
from statistics import NormalDist
from typing import Final

CONFIDENCE: Final = 0.95


def wilson(good: int, votes: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the score interval of a share, which holds its level for few votes and for shares near 0 and 1 too.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (1927), 209-212; recommended by Brown, Cai, DasGupta, "Interval estimation for
    a binomial proportion", Statistical Science 16 (2001), 101-133.

    Args:
        good: Successes.
        votes: Trials; without any, the share may be anything.
        confidence: How often such intervals hold the true share.

    Raises:
        ValueError: More successes than trials, or fewer than none.
    """
    if not 0 <= good <= votes:
        raise ValueError(f"{good} of {votes} is no share")
    if not votes:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = good / votes, z * z / votes
    middle = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt((share * (1 - share) + weight / 4) / votes) / (1 + weight)
    # At the ends rounding alone could step over them.
    return (0.0 if good == 0 else max(middle - half, 0.0)), (1.0 if good == votes else min(middle + half, 1.0))
