"""Limits that live in the process, against a clock that the tests turn."""

import pytest

from activities.identity.contracts import TooManyRequests
from activities.identity.throttle import ADDRESS_TRIES, PAIR_TRIES, WINDOW_SECONDS, LoginThrottle, RequestRate


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_pair_of_name_and_address_has_few_tries_in_a_window() -> None:
    clock = Clock()
    throttle = LoginThrottle(clock)
    for _ in range(PAIR_TRIES):
        throttle.attempt("ana", "here")
    with pytest.raises(TooManyRequests) as caught:
        throttle.attempt("ana", "here")
    assert caught.value.retry_after == WINDOW_SECONDS
    throttle.attempt("ana", "there")
    clock.now += WINDOW_SECONDS
    throttle.attempt("ana", "here")


def test_an_address_that_tries_many_names_is_stopped() -> None:
    throttle = LoginThrottle(Clock())
    for number in range(ADDRESS_TRIES):
        throttle.attempt(f"user{number}", "here")
    with pytest.raises(TooManyRequests):
        throttle.attempt("one more", "here")


def test_success_takes_back_ones_own_tries() -> None:
    throttle = LoginThrottle(Clock())
    for _ in range(20 * PAIR_TRIES):
        throttle.attempt("ana", "here")
        throttle.succeeded("ana", "here")


def test_a_success_does_not_hide_guesses_at_other_names() -> None:
    throttle = LoginThrottle(Clock())
    for number in range(ADDRESS_TRIES - 1):
        throttle.attempt(f"user{number}", "here")
        throttle.attempt("mine", "here")
        throttle.succeeded("mine", "here")
    throttle.attempt("one more", "here")
    with pytest.raises(TooManyRequests):
        throttle.attempt("mine", "here")


def test_requests_come_back_with_time_for_each_caller_alone() -> None:
    clock = Clock()
    rate = RequestRate(60, clock)
    for _ in range(60):
        rate.take("ana")
    with pytest.raises(TooManyRequests) as caught:
        rate.take("ana")
    assert caught.value.retry_after == 1
    rate.take("bo")
    clock.now += 1
    rate.take("ana")
