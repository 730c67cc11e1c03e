"""Questions that come at the same time are answered one after another in one thread, which saves the handing over.

Nothing waits for others to come: while some are answered the next gather by themselves, and a lone question is answered
at once. Each is computed by itself, so that the same question gets the same bytes, whatever else is asked: sums of a
product are added up in another order where there are more rows.
"""

import asyncio
from collections import deque
from typing import NamedTuple, TypeAlias

from ..data.dataset import Images
from ..model import Model
from ..nn.types import Array

__all__ = ["MOST_IMAGES", "Batcher"]

MOST_IMAGES = 512  # of several questions that are answered together

Answer: TypeAlias = tuple[Array, Array | None]


class _Question(NamedTuple):
    model: Model
    images: Images
    answer: asyncio.Future[Answer]


class Batcher:
    """The questions that wait, and the task that answers them."""

    def __init__(self) -> None:
        self._waiting: deque[_Question] = deque()
        self._work: asyncio.Task[None] | None = None

    async def recognise(self, model: Model, images: Images) -> Answer:
        """Return the probability of each class (n, k) and the doubt (n,) for images (n, h, w) of the model's form.

        Raises:
            DataError: as `Model.predict_proba` does.
        """
        question = _Question(model, images, asyncio.get_running_loop().create_future())
        self._waiting.append(question)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._answer_all())
        return await question.answer

    async def _answer_all(self) -> None:
        """Answer until nothing waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            together = self._take()
            computing = loop.run_in_executor(None, _compute, together)
            await asyncio.wait([computing])
            error = computing.exception()
            for i, question in enumerate(together):
                if question.answer.done():  # nobody waits for it any more
                    continue
                if error is not None:
                    question.answer.set_exception(error)
                else:
                    question.answer.set_result(computing.result()[i])

    def _take(self) -> list[_Question]:
        """Take the first question, and those after it that fit in: for the same model, up to 512 images in all."""
        together = [self._waiting.popleft()]
        count = len(together[0].images)
        while self._waiting and self._waiting[0].model is together[0].model:
            count += len(self._waiting[0].images)
            if count > MOST_IMAGES:
                break
            together.append(self._waiting.popleft())
        return together


def _compute(together: list[_Question]) -> list[Answer]:
    return [question.model.recognise(question.images) for question in together]
