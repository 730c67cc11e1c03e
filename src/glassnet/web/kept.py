"""Answers that take some time, worked out once and kept for the next who asks."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any

__all__ = ["Kept"]

MOST = 8  # answers; those asked for least recently go first


class Kept:
    """A few answers by what they are about. One is worked out at a time: a training beside it needs the processor."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, Any] = {}
        self._one_at_a_time = Lock()

    def answer(self, about: Hashable, work_out: Callable[[], Any]) -> Any:
        """Return the answer that is kept, or work it out."""
        with self._one_at_a_time:
            found = self._answers.pop(about) if about in self._answers else work_out()
            self._answers[about] = found
            while len(self._answers) > MOST:
                del self._answers[next(iter(self._answers))]
            return found
