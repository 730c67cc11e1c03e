"""Pydantic's errors about settings, as one line."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from ..errors import nearest

__all__ = ["explain", "fault"]

_WANTED = {
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "finite_number": "a finite number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a string",
    "string_too_short": "a string of at least {min_length} characters",
    "string_too_long": "a string of at most {max_length} characters",
    "tuple_type": "a list",
    "too_long": "a list of at most {max_length}",
    "too_short": "a list of at least {min_length}",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "a table",
    "literal_error": "{expected}",
    "base64_decode": "in base64",
}
"""What is expected, by pydantic's type of error."""


def explain(error: ValidationError, given: Collection[str], origin: str, known: Iterable[str]) -> str:
    """Describe the first invalid setting in one line.

    Args:
        error: from validating settings.
        given: the names of settings given as flags or keywords.
        origin: a prefix for all others, such as the name of their file and a colon.
        known: the names of all settings.
    """
    first = error.errors()[0]
    setting = str(first["loc"][0])
    return ("" if setting in given else origin) + fault(first, setting, known)


def fault(error: Mapping[str, Any], name: str, known: Iterable[str]) -> str:
    """Say in one line what is wrong with the value called ``name``; ``known`` are the names that there are."""
    if error["type"] == "extra_forbidden":
        return f"no setting called {name!r}{nearest(name, known)}"
    if error["type"] == "missing":
        return f"{name}: is missing"
    if error["type"] == "value_error":
        return f"{name}: {error['msg'].removeprefix('Value error, ')}"
    limits = {name: _plain(value) for name, value in error.get("ctx", {}).items()}
    wanted = _WANTED.get(error["type"], error["msg"]).format(**limits)
    return f"{name}: must be {wanted}, not {error['input']!r:.80}"


def _plain(value: Any) -> Any:
    """Return a number as a person would write it: 4,294,967,295, 45 or 0.5."""
    return f"{value:,.15g}" if isinstance(value, int | float) else value
