"""What a lesson consists of. Unknown keys, wrong types and answers that are not among the choices are errors."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NoReturn, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from .addresses import address_errors
from .markdown import LINKS, links

__all__ = ["Lesson", "Question", "Step"]


def _refuse(title: str, errors: Iterable[InitErrorDetails]) -> NoReturn:
    """Raise what pydantic adds to its own errors: of a ValueError it would take one alone."""
    raise ValidationError.from_exception_data(title, [*errors])


def _error(place: tuple[int | str, ...], what: str, given: Any) -> InitErrorDetails:
    return {"type": PydanticCustomError("value_error", "{what}", {"what": what}), "loc": place, "input": given}


def _again(error: ErrorDetails) -> InitErrorDetails:
    """Return an error that was caught as one to raise."""
    if error["type"] == "value_error":
        return _error(error["loc"], error["msg"], error["input"])
    return {"type": error["type"], "loc": error["loc"], "input": error["input"], "ctx": error.get("ctx", {})}


def _check_view(address: str) -> str:
    if wrong := [*address_errors(address)]:
        _refuse("view", [_error((), what, address) for what in wrong])
    return address


def _check_links(words: str) -> str:
    wrong = [f"the link {link[:80]!r}: {what}" for link in links(words) for what in _link_errors(link)]
    if wrong:
        _refuse("words", [_error((), what, words) for what in wrong])
    return words


def _link_errors(link: str) -> Iterator[str]:
    if not link.startswith(LINKS):
        yield "must lead to a view such as '#draw', or begin with https://"
    elif link.startswith("#") and link != "#lessons":  # which a link may lead to, but a step cannot show
        yield from address_errors(link)


Line: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Words: TypeAlias = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000), AfterValidator(_check_links)
]
Choice: TypeAlias = Annotated[Line, AfterValidator(_check_links)]
Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Answer: TypeAlias = Annotated[
    Annotated[str, Tag("string")] | Annotated[Number, Tag("number")],
    Discriminator(lambda given: "string" if isinstance(given, str) else "number"),  # or both would complain of NaN
]


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
    choices: Annotated[list[Choice], Field(min_length=2, max_length=8)] | None = None
    answer: Answer
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    why: Words

    @model_validator(mode="wrap")
    @classmethod
    def _check(cls, given: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        """Check each key, and all the same how they go together."""
        question, wrong = None, list[InitErrorDetails]()
        try:
            question = check(given)
        except ValidationError as error:
            wrong = [_again(each) for each in error.errors(include_url=False)]
        known = {each["loc"][:1] for each in wrong}
        misfits = _misfits(given) if isinstance(given, Mapping) else ()
        wrong += [_error((key,), what, given) for key, what in misfits if (key,) not in known]
        if question is None or wrong:
            _refuse("question", wrong)
        return question


def _misfits(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the keys of a question, not yet checked, that do not go with its choices, and why."""
    choices, answer = given.get("choices"), given.get("answer")
    if choices is None and isinstance(answer, str):
        yield "answer", "must be a number, since there are no choices"
    if not isinstance(choices, list):
        return
    choices = [choice.strip() if isinstance(choice, str) else choice for choice in choices]
    if any(choice in choices[:i] for i, choice in enumerate(choices)):
        yield "choices", "two are the same"
    if answer is not None and answer not in choices:
        yield "answer", f"{answer!r:.80} is not among the choices"
    if given.get("tolerance"):
        yield "tolerance", "is for numbers; leave it out where there are choices"


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
    view: Annotated[str, StringConstraints(max_length=2000), AfterValidator(_check_view)]
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
