"""Answers that take some time, worked out once and kept for the next who asks."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable
from typing import Any

from starlette.concurrency import run_in_threadpool

__all__ = ["Kept"]

MOST = 8  # answers; those asked for least recently go first


class Kept:
    """A few answers by what they are about.

    Of each kind one is worked out at a time, in a thread: a training beside it needs the processor. Who waits for it
    holds no thread.
    """

    def __init__(self) -> None:
        self._answers: dict[tuple[str, Hashable], Any] = {}
        self._working: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def answer(self, kind: str, about: Hashable, work_out: Callable[[], Any]) -> Any:
        """Return the answer that is kept, or work it out."""
        async with self._working[kind]:
            found = self._answers.pop((kind, about), None)
            if found is None:
                found = await run_in_threadpool(work_out)
            self._answers[kind, about] = found
            while len(self._answers) > MOST:
                del self._answers[next(iter(self._answers))]
            return found
