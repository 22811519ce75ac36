"""The sequential test: it holds its level under optional stopping, and finds what is there."""

import math
import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.experiments.sequential import PRIOR, Evidence, block_sizes, evidence

STREAMS, LONGEST = 300, 300
SHARES = st.floats(0.02, 0.98)


def streams(seed: int, first: float, second: float, sizes: tuple[int, int] = (1, 1)) -> list[Evidence]:
    """What the test says in the end of outcomes that come in at random; ``p`` is what it said at best."""
    chance = random.Random(seed)  # noqa: S311 -- a simulation
    found = []
    for _ in range(STREAMS):
        draws = [
            [chance.random() < share for _ in range(LONGEST * size)]
            for share, size in zip((first, second), sizes, strict=True)
        ]
        found.append(evidence(*draws, sizes=sizes))
    return found


@pytest.mark.parametrize(("share", "sizes"), [(0.5, (1, 1)), (0.9, (1, 1)), (0.2, (3, 1))])
def test_equal_variants_are_seldom_told_apart_though_one_looks_after_every_block(
    share: float, sizes: tuple[int, int]
) -> None:
    found = streams(7, share, share, sizes)
    wrong = sum(one.first_is_better is not None for one in found)
    # The level is 5 %; what is found in 300 streams stays below it unless the test is broken.
    assert wrong / STREAMS < 0.05
    # The same for every other level: a p-value that holds at any time is small as seldom as it says.
    assert all(sum(one.p <= level for one in found) / STREAMS < level + 0.02 for level in (0.01, 0.1, 0.2))


def test_a_difference_is_found_and_never_the_wrong_way_round() -> None:
    found = streams(11, 0.5, 0.8)
    assert sum(one.first_is_better is False for one in found) / STREAMS > 0.95
    assert not any(one.first_is_better for one in found)
    assert sum(one.first_is_better is True for one in streams(11, 0.8, 0.5)) / STREAMS > 0.95


@given(
    outcomes=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=12),
    sizes=st.sampled_from([(1, 1), (2, 1), (1, 3)]),
    shares=st.tuples(SHARES, SHARES),
)
@settings(max_examples=60, deadline=None)
def test_a_bet_on_either_is_not_worth_more_than_its_stake_where_it_is_not_better(
    outcomes: list[tuple[bool, bool]], sizes: tuple[int, int], shares: tuple[float, float]
) -> None:
    """Whatever came before, the next block's expected factor is at most 1 where the leading group is not better."""
    past = [[one[group] for one in outcomes for _ in range(sizes[group])] for group in (0, 1)]
    before = evidence(past[0], past[1], sizes=sizes)
    likely = [(sum(past[group]) + PRIOR) / (len(past[group]) + 2 * PRIOR) for group in (0, 1)]
    # The group that the past speaks for is given the smaller true share, or the same one.
    low, high = sorted(shares)
    true = (low, high) if likely[0] >= likely[1] else (high, low)
    for given_shares in (true, (low, low)):
        expected = 0.0
        for block in product(*(product((True, False), repeat=size) for size in sizes)):
            chance = math.prod(
                share if good else 1 - share for share, group in zip(given_shares, block, strict=True) for good in group
            )
            after = evidence(past[0] + list(block[0]), past[1] + list(block[1]), sizes=sizes)
            expected += chance * math.exp(after.log_e - before.log_e)
        assert expected <= 1 + 1e-9


@given(st.lists(st.booleans(), max_size=40), st.lists(st.booleans(), max_size=40))
def test_it_does_not_matter_which_variant_is_called_the_first(one: list[bool], other: list[bool]) -> None:
    here, there = evidence(one, other), evidence(other, one)
    assert here.log_e == pytest.approx(there.log_e)
    assert here.p == pytest.approx(there.p)
    assert 0 < here.p <= 1
    assert there.first_is_better is (None if here.first_is_better is None else not here.first_is_better)


def test_what_was_known_stays_known_and_an_open_block_does_not_count_yet() -> None:
    first, second = [False] * 12, [True] * 12
    known = evidence(first, second)
    assert known.first_is_better is False
    later = evidence(first + [True] * 200, second + [True] * 200)
    assert (later.first_is_better, later.log_e < known.log_e, later.p <= known.p) == (False, True, True)
    assert evidence(first, second + [False] * 5) == known


@pytest.mark.parametrize(
    ("shares", "sizes"), [((1, 1), (1, 1)), ((9, 1), (9, 1)), ((1, 3), (1, 3)), ((70, 30), (2, 1)), ((500, 1), (10, 1))]
)
def test_blocks_follow_the_shares(shares: tuple[int, int], sizes: tuple[int, int]) -> None:
    assert block_sizes(*shares) == sizes
