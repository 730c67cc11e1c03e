"""Pydantic's errors about settings, as one line."""

from collections.abc import Collection, Iterable

from pydantic import ValidationError

from ..errors import nearest

__all__ = ["explain"]

_WANTED = {
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "less than {lt:g}",
    "finite_number": "a finite number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a string",
    "tuple_type": "a list",
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
    where = "" if setting in given else origin
    if first["type"] == "extra_forbidden":
        return f"{where}no setting called {setting!r}{nearest(setting, known)}"
    if first["type"] == "value_error":
        return f"{where}{setting}: {first['msg'].removeprefix('Value error, ')}"
    wanted = _WANTED.get(first["type"], first["msg"]).format(**first.get("ctx", {}))
    return f"{where}{setting}: must be {wanted}, not {first['input']!r}"
