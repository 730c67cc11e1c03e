"""Threads that share out work: each part once, and errors as they are."""

import threading
import time
import warnings

import numpy as np
import pytest

from glassnet.nn.team import Team


@pytest.mark.parametrize("size", [1, 2, 3])
def test_each_part_is_done_once(size: int) -> None:
    done: list[int] = []
    Team(size).share_out(lambda member, part: done.append(part), 50)
    assert sorted(done) == list(range(50))


def test_two_parts_are_done_at_the_same_time_by_different_members() -> None:
    both = threading.Barrier(2, timeout=10)  # which breaks where one waits alone
    members: list[int] = []

    def work(member: int, part: int) -> None:
        both.wait()
        members.append(member)

    Team(2).share_out(work, 2)
    assert sorted(members) == [0, 1]


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_reaches_the_thread_that_asked(size: int, failing: int) -> None:
    team = Team(size)

    def work(member: int, part: int) -> None:
        if part == failing:
            raise ValueError("this part cannot be done")

    with pytest.raises(ValueError, match="this part"):
        team.share_out(work, 2)
    done: list[int] = []
    team.share_out(lambda member, part: done.append(part), 2)  # and the team can be asked again
    assert sorted(done) == [0, 1]


def test_an_error_waits_until_nobody_is_at_work_any_more() -> None:
    both = threading.Barrier(2, timeout=10)
    done: list[int] = []

    def work(member: int, part: int) -> None:
        both.wait()
        if member == 0:
            raise ValueError("this part cannot be done")
        time.sleep(0.05)
        done.append(part)

    with pytest.raises(ValueError, match="this part"):
        Team(2).share_out(work, 2)
    assert len(done) == 1


def test_overflow_is_treated_as_the_thread_that_asks_treats_it() -> None:
    both = threading.Barrier(2, timeout=10)

    def work(member: int, part: int) -> None:
        both.wait()
        np.float32([1e38]) * np.float32(10)

    with warnings.catch_warnings(), np.errstate(over="ignore"):
        warnings.simplefilter("error")
        Team(2).share_out(work, 2)
