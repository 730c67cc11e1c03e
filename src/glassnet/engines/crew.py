"""Threads that get on with parts of one piece of compiled work, and hand it over in a microsecond.

To wake a sleeping thread takes tens of microseconds, or milliseconds where a machine is busy; a pass over a layer's
numbers takes ten. So a helper that has nothing to do looks out for work for a moment before it goes to sleep. Nobody
waits for a helper to begin: the thread that asks does what is left, and waits only for parts that are under way. So two
trainings beside each other, or a machine that is busy otherwise, cost little.

How the parts of one job are taken: a word of memory holds the number of the job, and the parts that are left as a
range, from ``low`` to ``high``. Who takes a part changes the word from what was read, in one go, and only if it is
still there. The thread that asks takes from the low end, helpers from the high end, so each meets again the rows whose
numbers it has in its cache. Which thread takes a part changes no result.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from time import perf_counter
from typing import Any
from weakref import finalize

import numpy as np
from numba import njit
from numba.core.types import int64
from numpy.typing import NDArray

from .kept import keep
from .native import add, call_kernel, compare_and_set, give_way, load, pause, put_kernel, store

__all__ = ["MOST", "Crew", "shared"]

State = NDArray[np.int64]

# Where things are in a crew's memory, 64 bits each; those that several threads write lie in cache lines of their own.
HELPERS, FUNCTION, ARGUMENTS = 0, 1, 2  # how many helpers there are; what `put_kernel` writes
LEFT, DONE, BUSY, ASLEEP, STOP, HELPED = 16, 32, 48, 64, 80, 96  # HELPED: how many parts helpers have done
FAILED = 112  # whether a part of the job got no memory
SIZE = 128

RANGE = 16  # bits of the number of a part
MOST = (1 << RANGE) - 1
"""Of so many parts a job may be."""
LOOK_OUT = 200e-6  # seconds that a helper looks out for work before it sleeps
PATIENCE = 1000  # looks at a part that is under way, some microseconds in all, before others may have the processor


def shared(function: Callable[..., None]) -> Callable[..., None]:
    """Compile ``function(part, parts, *args)``, and return what a crew is asked by: ``work(state, parts, *args)``.

    It calls the function once for each part, 0 … parts − 1, in whatever thread is there to do it, without the
    interpreter's lock. Parts may not write to the same numbers.

    Args:
        function: returns nothing, and raises nothing itself; of memory it takes little.

    What is returned raises MemoryError where a part got no memory.
    """
    kernel = njit(error_model="numpy")(function)

    def work(state: Any, parts: int, *args: Any) -> None:
        if parts == 1 or load(state, HELPERS) == 0 or not compare_and_set(state, BUSY, 0, 1):
            for part in range(parts):
                kernel(part, parts, *args)
            return
        put_kernel(state, FUNCTION, FAILED, kernel, (parts, *args))
        store(state, DONE, 0)
        job = (load(state, LEFT) >> (2 * RANGE)) + 1
        store(state, LEFT, (job << (2 * RANGE)) + (int64(parts) << RANGE))
        while _take(state, False):
            pass
        looks = 0
        while load(state, DONE) < parts:
            pause()
            looks += 1
            if looks > PATIENCE:
                give_way()
        failed = load(state, FAILED) == 1
        store(state, FAILED, 0)
        store(state, BUSY, 0)
        if failed:
            raise MemoryError("no memory for a part of the work of the compiled engine")

    work.__qualname__ = work.__name__ = function.__name__
    return keep(work)


@njit
def _take(state: Any, high_end: bool) -> bool:
    """Take a part of the job that there is and do it; return whether there was one."""
    while True:
        left = load(state, LEFT)
        low, high = left & MOST, (left >> RANGE) & MOST
        if low >= high:
            return False
        function, arguments = load(state, FUNCTION), load(state, ARGUMENTS)
        # If the word has not changed, what was read belongs to this job.
        if compare_and_set(state, LEFT, left, left - (1 << RANGE) if high_end else left + 1):
            call_kernel(function, arguments, high - 1 if high_end else low)
            add(state, DONE, 1)
            return True


@keep
def help_out(state: State, looks: int) -> None:
    """Do what there is to do, until there was nothing for so many looks."""
    idle = 0
    while idle < looks and load(state, STOP) == 0:
        if _take(state, True):
            add(state, HELPED, 1)
            idle = 0
        else:
            pause()
            idle += 1
    add(state, ASLEEP, 1)


class Crew:
    """The thread that asks, and helpers, which begin when they are first needed.

    Args:
        size: how many threads there are, that one included.

    Attributes:
        state: what compiled work needs to know of the crew.
    """

    def __init__(self, size: int) -> None:
        self.size, self.state = size, np.zeros(SIZE, np.int64)
        self._looks = _looks(LOOK_OUT) if size > 1 else 0
        self._bells: list[SimpleQueue[bool]] = []
        self._changing = Lock()

    def ready(self) -> State:
        """Wake the helpers that are asleep, and return ``state``."""
        if self.state[ASLEEP]:
            self.state[ASLEEP] = 0
            for bell in self._bells:
                bell.put(True)
        elif not self._bells and self.size > 1:
            self._begin()
        return self.state

    def rest(self) -> None:
        """Let the helpers end; who asks again gets others."""
        with self._changing:
            if self._bells:
                self._end()
                self.state, self._bells = np.zeros(SIZE, np.int64), []

    def _begin(self) -> None:
        with self._changing:
            if self._bells:  # another thread was quicker
                return
            bells = [SimpleQueue[bool]() for _ in range(1, self.size)]
            self._end = finalize(self, _stop, self.state, bells)
            for number, bell in enumerate(bells):
                helper = Thread(target=_helper, args=(self.state, bell, self._looks), name="glassnet", daemon=True)
                try:
                    helper.start()
                except RuntimeError:  # no more threads are to be had, so it is done with those that are there
                    break
                self.state[HELPERS] = number + 1
            self._bells = bells


def _helper(state: State, bell: "SimpleQueue[bool]", looks: int) -> None:
    """What a helper does all its life."""
    go_on = True
    while go_on:
        help_out(state, looks)
        go_on = bell.get()
        while not bell.empty():  # it was rung for others, too
            go_on &= bell.get()


def _stop(state: State, bells: "list[SimpleQueue[bool]]") -> None:
    state[STOP] = 1
    for bell in bells:
        bell.put(False)


def _looks(seconds: float) -> int:
    """Return how many looks for work take so long."""
    nobody, count = np.zeros(SIZE, np.int64), 1000
    help_out(nobody, 1)
    took = []
    for _ in range(5):  # of which the shortest was not interrupted
        start = perf_counter()
        help_out(nobody, count)
        took.append(perf_counter() - start)
    return max(int(count * seconds / min(took)), 1)
