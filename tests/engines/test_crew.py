"""Compiled work in several threads: each part is done once, whoever does it."""

import threading
import time
from typing import Any

import numpy as np
import pytest

from glassnet.engines.crew import ASLEEP, MOST, Crew, shared


@shared
def count(part: int, parts: int, counts: Any, slowly: int) -> None:
    counts[part] += 1
    for _ in range(slowly):
        counts[part] += 1
        counts[part] -= 1


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_each_part_of_each_job_is_done_once(size: int) -> None:
    crew, rng = Crew(size), np.random.default_rng(size)
    for _ in range(3000):
        parts, slowly = int(rng.integers(1, 12)), int(rng.integers(0, 300))
        counts = np.zeros(parts, np.int64)
        count(crew.ready(), parts, counts, slowly)
        assert (counts == 1).all()


def test_as_many_parts_as_there_may_be() -> None:
    crew, counts = Crew(2), np.zeros(MOST, np.int64)
    count(crew.ready(), MOST, counts, 0)
    assert (counts == 1).all()


def test_helpers_help_go_to_sleep_and_come_again() -> None:
    crew = Crew(2)

    def by_one_and_by_two() -> tuple[float, float]:
        seconds = []
        for parts in (1, 2):  # the same work twice, in one part after the other, or beside each other
            counts, start = np.zeros(2 * 64, np.int64)[:: 64 * (parts == 2) or 1], time.perf_counter()
            for _ in range(3 - parts):
                count(crew.ready(), parts, counts, 20_000_000)
            seconds.append(time.perf_counter() - start)
        return seconds[0], seconds[1]

    for _ in range(2):
        assert any(two < 0.8 * one for one, two in (by_one_and_by_two() for _ in range(10)))
        end = time.monotonic() + 10
        while not crew.state[ASLEEP]:
            assert time.monotonic() < end, "a helper that has nothing to do goes on looking for work"
            time.sleep(0.01)


def test_several_threads_may_ask_one_crew() -> None:
    crew, wrong = Crew(3), []

    def ask() -> None:
        for _ in range(1000):
            counts = np.zeros(4, np.int64)
            count(crew.ready(), 4, counts, 50)
            if not (counts == 1).all():
                wrong.append(counts)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert not wrong


def test_helpers_end_with_their_crew() -> None:
    before = set(threading.enumerate())
    crew = Crew(3)
    count(crew.ready(), 2, np.zeros(2, np.int64), 0)
    helpers = set(threading.enumerate()) - before
    assert len(helpers) == 2
    del crew
    end = time.monotonic() + 10
    while any(helper.is_alive() for helper in helpers):
        assert time.monotonic() < end
        time.sleep(0.01)
