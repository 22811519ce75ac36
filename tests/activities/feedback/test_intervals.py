"""Confidence intervals against published values."""

import pytest

from activities.feedback.intervals import wilson

# R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I,
# method 3 (score method), and its ends.
PUBLISHED = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]


@pytest.mark.parametrize(("good", "votes", "low", "high"), PUBLISHED)
def test_an_interval_is_the_published_one(good: int, votes: int, low: float, high: float) -> None:
    assert wilson(good, votes) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    mirrored = wilson(votes - good, votes)
    assert mirrored == (pytest.approx(1 - high, abs=5e-5), pytest.approx(1 - low, abs=5e-5))


def test_without_votes_nothing_is_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(3, 3)[1] == 1.0
    with pytest.raises(ValueError, match="4 of 3"):
        wilson(4, 3)
