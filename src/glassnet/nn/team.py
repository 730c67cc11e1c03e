"""Several threads at one piece of work that can be cut into parts.

NumPy lets go of the interpreter while it computes, so threads get on with different parts at the same time. To hand
over to a thread costs some tens of microseconds, so parts should take longer than that.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import local

__all__ = ["Team"]


class Team:
    """The thread that asks, and helpers that wait for it to ask again.

    Args:
        size: how many threads there are, that one included.
    """

    def __init__(self, size: int) -> None:
        self.size, self._busy = size, local()
        self._helpers = ThreadPoolExecutor(size)  # begins a thread when it is first needed

    @property
    def at_work(self) -> bool:
        """Whether the thread that asks is at work on a part: then the others are, too."""
        return getattr(self._busy, "now", False)

    def share_out(self, work: Callable[[int, int], None], parts: int) -> None:
        """Call ``work(member, part)`` once for each part, 0 … parts − 1; whoever is idle takes the next.

        A thread that asks while it is at work on a part does all of it itself.

        Args:
            work: what to do; ``member``, from 0 to size − 1, is who does it, and does one thing at a time.
            parts: how many.

        Raises:
            Exception: what ``work`` raised, and nobody is at work any more; some parts may never have been begun.
        """
        if self.at_work:
            for part in range(parts):
                work(0, part)
            return
        left: SimpleQueue[int] = SimpleQueue()
        for part in range(parts):
            left.put(part)

        def take_parts(member: int) -> None:
            self._busy.now = True
            try:
                while (part := _next(left)) is not None:
                    work(member, part)
            finally:
                self._busy.now = False

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


def _next(left: SimpleQueue[int]) -> int | None:
    try:
        return left.get_nowait()
    except Empty:
        return None
