"""A test of two shares of successes that holds its level however often one looks, and whenever one stops. Pure.

Source: R. Turner, A. Ly, P. Grünwald, "Generic E-variables for exact sequential k-sample tests that allow for optional
stopping", Journal of Statistical Planning and Inference 230 (2024), 106116; arXiv:2106.02693.

Outcomes come in blocks of ``n_a`` of the one group and ``n_b`` of the other. A block bets, at odds that are fair if the
shares are equal, on what the blocks before it make likely: with ``theta_a``, ``theta_b`` learned from them, each
outcome multiplies the e-value by its probability under its own ``theta`` over that under the weighted mean ``theta_0``
of the two. Under the null the product is a martingale from 1 whose chance of ever reaching ``1/alpha`` is at most
``alpha`` (Ville).

Here a bet on "a is better" is placed only where ``theta_a > theta_b``. It is then fair or worse under all of
``share_a <= share_b``: with ``x``, ``y`` the true shares less ``theta_0``, a block's expected factor is at most
``exp(n_a (theta_a - theta_0)(x - y) / (theta_0 (1 - theta_0)))``, by ``1 + z <= exp(z)`` and because the weighted
deviations of both thetas cancel. It holds for the mean share of a block's outcomes, so shares may drift with time. Both
directions hold half of the stake each: whichever is named better, the chance that it is not is at most ``alpha``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# A uniform prior on each share. The authors' 0.18 needs about a tenth more votes where shares are far from 0 and 1.
PRIOR: Final = 1.0
# Uneven shares make blocks of several outcomes; larger ones would be waited for too long.
LARGEST_BLOCK: Final = 10
_HALF: Final = math.log(0.5)


@dataclass(frozen=True)
class Evidence:
    """What the outcomes of two groups say against their being equally good.

    Args:
        log_e: Logarithm of the e-value now.
        log_highest: Of the highest that it has been.
        first_is_better: Whether the first group is the better one; ``None`` while that is not known.
    """

    log_e: float = 0.0
    log_highest: float = 0.0
    first_is_better: bool | None = None

    @property
    def p(self) -> float:
        """A p-value that holds whenever and however often one looks."""
        return math.exp(-self.log_highest)


def block_sizes(first: int, second: int) -> tuple[int, int]:
    """Return how many outcomes of each group make a block where groups get shares of the units like these."""
    larger = min(max(round(max(first, second) / min(first, second)), 1), LARGEST_BLOCK)
    return (larger, 1) if first >= second else (1, larger)


def evidence(
    first: Sequence[bool], second: Sequence[bool], alpha: float = 0.05, sizes: tuple[int, int] = (1, 1)
) -> Evidence:
    """Return what outcomes say.

    Args:
        first: Successes and failures of the one group, in the order in which they came.
        second: Those of the other.
        alpha: How often one of them may be called better that is not.
        sizes: How many of each make a block; fixed before the first outcome. What makes none yet does not count.
    """
    blocks = min(len(first) // sizes[0], len(second) // sizes[1])
    good = [0, 0]
    bets = [0.0, 0.0]  # logarithms: on the first, on the second
    log_e = highest = 0.0
    better: bool | None = None
    for block in range(blocks):
        thetas = [(good[group] + PRIOR) / (block * sizes[group] + 2 * PRIOR) for group in (0, 1)]
        found = [
            sum(outcomes[block * size : (block + 1) * size])
            for outcomes, size in zip((first, second), sizes, strict=True)
        ]
        if thetas[0] != thetas[1]:
            bets[thetas[0] < thetas[1]] += _log_factor(thetas, found, sizes)
        good = [good[group] + found[group] for group in (0, 1)]
        log_e = _log_mean(*bets)
        highest = max(highest, log_e)
        if better is None and log_e >= -math.log(alpha):
            better = bets[0] > bets[1]
    return Evidence(log_e, highest, better)


def _log_factor(thetas: Sequence[float], found: Sequence[int], sizes: Sequence[int]) -> float:
    mean = (sizes[0] * thetas[0] + sizes[1] * thetas[1]) / sum(sizes)
    return sum(
        good * math.log(theta / mean) + (size - good) * math.log((1 - theta) / (1 - mean))
        for theta, good, size in zip(thetas, found, sizes, strict=True)
    )


def _log_mean(one: float, other: float) -> float:
    larger, smaller = max(one, other), min(one, other)
    return _HALF + larger + math.log1p(math.exp(smaller - larger))
