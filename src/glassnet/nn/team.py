"""Several threads at one piece of work that can be cut into parts.

NumPy lets go of the interpreter while it computes, so threads get on with different parts at the same time. To hand
over to a thread costs some tens of microseconds, so parts should take longer than that.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from queue import Empty, SimpleQueue

__all__ = ["ALONE", "Team"]


class Team:
    """The thread that asks, and helpers that wait for it to ask again.

    Args:
        size: how many threads there are, that one included.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._helpers = ThreadPoolExecutor(size)  # begins a thread when it is first needed

    def share_out(self, work: Callable[[int, int], None], parts: int) -> None:
        """Call ``work(member, part)`` once for each part, 0 … parts − 1; whoever is idle takes the next.

        Args:
            work: what to do; ``member``, from 0 to size − 1, is who does it, and does one thing at a time.
            parts: how many.

        Raises:
            Exception: what ``work`` raised, and nobody is at work any more; some parts may never have been begun.
        """
        left: SimpleQueue[int] = SimpleQueue()
        for part in range(parts):
            left.put(part)

        def take_parts(member: int) -> None:
            while True:
                try:
                    part = left.get_nowait()
                except Empty:
                    return
                work(member, part)

        # With a copy of its context a helper treats overflow as the thread that asks does (np.errstate).
        helping = [
            self._helpers.submit(copy_context().run, take_parts, member) for member in range(1, min(self.size, parts))
        ]
        try:
            take_parts(0)
        finally:
            wait(helping)
        for done in helping:
            done.result()


ALONE = Team(1)
