"""Compiled work in several threads: each part is done once, whoever does it."""

import threading
import time
from typing import Any

import numpy as np
import pytest

from glassnet.engines.crew import ASLEEP, HELPED, MOST, Crew, shared
from glassnet.engines.native import add, load, store


@shared
def count(part: int, parts: int, counts: Any, rounds: int) -> None:
    """Count one up, and then do what takes a nanosecond or so for each round, which no compiler can leave out."""
    add(counts, part, 1)
    for _ in range(rounds):
        store(counts, part, load(counts, part))


@pytest.mark.parametrize("owners", [1, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_each_part_of_each_job_is_done_once(size: int, owners: int) -> None:
    crew, wrong = Crew(size), list[Any]()

    def ask(owner: int) -> None:
        rng = np.random.default_rng((size, owner))
        for _ in range(3000 // owners):
            parts, rounds = int(rng.integers(1, 12)), int(rng.integers(0, 3000))
            counts = np.zeros(parts, np.int64)
            count(crew.ready(), parts, counts, rounds)
            if not (counts == 1).all():
                wrong.append(counts)

    askers = [threading.Thread(target=ask, args=(owner,)) for owner in range(owners)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert not wrong


def test_as_many_parts_as_there_may_be() -> None:
    crew, counts = Crew(2), np.zeros(MOST, np.int64)
    count(crew.ready(), MOST, counts, 0)
    assert (counts == 1).all()


def test_helpers_help_go_to_sleep_and_come_again() -> None:
    crew = Crew(2)
    for _ in range(2):
        crew.state[HELPED], end = 0, time.monotonic() + 30
        while crew.state[HELPED] < 10:  # where other processes are at work, too, it may take a while
            assert time.monotonic() < end, "the helper does not help"
            count(crew.ready(), 2, np.zeros(2, np.int64), 1_000_000)  # a millisecond each
        while not crew.state[ASLEEP]:
            assert time.monotonic() < end, "a helper that has nothing to do goes on looking for work"
            time.sleep(0.01)


def test_several_threads_that_ask_first_begin_one_set_of_helpers() -> None:
    before = set(threading.enumerate())
    crew, together = Crew(3), threading.Barrier(4, timeout=60)

    def ask() -> None:
        together.wait()
        crew.ready()

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(set(threading.enumerate()) - before) == 2


def test_where_no_more_threads_are_to_be_had_it_is_done_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    crew, counts = Crew(3), np.zeros(4, np.int64)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    count(crew.ready(), 4, counts, 0)
    monkeypatch.undo()
    assert (counts == 1).all()
    crew.rest()
    count(crew.ready(), 4, counts, 0)
    assert (counts == 2).all()


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


@shared
def take_memory(part: int, parts: int, sizes: np.ndarray, out: np.ndarray) -> None:
    out[part] = np.zeros(sizes[part]).size


@pytest.mark.parametrize("size", [1, 3])
def test_a_part_that_gets_no_memory_is_told_and_the_next_job_is_done(size: int) -> None:
    crew, out = Crew(size), np.zeros(40, np.int64)
    for wanting in (0, 17, 39):
        sizes = np.full(40, 3)
        sizes[wanting] = 1 << 55
        with pytest.raises(MemoryError):
            take_memory(crew.ready(), 40, sizes, out)
        out[:] = 0
        take_memory(crew.ready(), 40, np.full(40, 3), out)
        np.testing.assert_array_equal(out, 3)
    crew.rest()
