"""What a lesson consists of. Unknown keys, wrong types and answers that are not among the choices are errors."""

from typing import Annotated, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from .addresses import check_address

__all__ = ["Lesson", "Question", "Step"]

Line: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Words: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Question(_Strict):
    """A question with one right answer: one of the choices, or a number.

    Attributes:
        ask: the question, in Markdown.
        choices: what can be chosen; without any, a number is asked for.
        answer: the right choice as it stands in ``choices``, or the number.
        tolerance: how far from ``answer`` a number may be.
        why: shown once it is answered, in Markdown.
    """

    ask: Words
    choices: Annotated[list[Line], Field(min_length=2, max_length=8)] | None = None
    answer: str | Number
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    why: Words

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.choices is None:
            if isinstance(self.answer, str):
                raise ValueError("answer: must be a number, since there are no choices")
            return self
        if len(set(self.choices)) < len(self.choices):
            raise ValueError("choices: two are the same")
        if self.answer not in self.choices:
            raise ValueError(f"answer: {self.answer!r:.80} is not among the choices")
        if self.tolerance:
            raise ValueError("tolerance: is for numbers; leave it out where there are choices")
        return self


class Step(_Strict):
    """One step of a lesson.

    Attributes:
        title: its heading.
        words: what stands beside the view, in Markdown.
        view: the address on the page that is shown, such as ``#train?recipe=fast``.
        question: a question about it, if there is one.
    """

    title: Line
    words: Words
    view: Annotated[str, StringConstraints(max_length=2000), AfterValidator(check_address)]
    question: Question | None = None


class Lesson(_Strict):
    """A lesson.

    Attributes:
        title: its heading.
        about: one sentence for the list of lessons.
        step: its steps, in order.
    """

    title: Line
    about: Line
    step: Annotated[list[Step], Field(min_length=1, max_length=40)]
