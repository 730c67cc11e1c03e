"""What clients send, checked, and the one line that they get where it cannot be."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from ..errors import ConfigError, nearest
from ..training import Settings, explain
from ..training.wording import fault

__all__ = ["Question", "SettingsByName", "error_line", "typed"]

PLACES = ("body", "query", "path")


class Question(BaseModel):
    """A JSON object that a client sends. An unknown name in it is an error that names the nearest known one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_names(cls, given: Any) -> Any:
        return _refuse_unknown(given, cls.model_fields) if isinstance(given, dict) else given


def error_line(errors: Sequence[Any]) -> str:
    """Return the first of pydantic's or FastAPI's errors as one line."""
    first = errors[0]
    place = [str(part) for part in first["loc"] if part not in PLACES]
    if first["type"] == "value_error" and not place:
        return str(first["msg"].removeprefix("Value error, "))
    if first["type"] == "json_invalid" or not place:
        return "the body is not a JSON object; send one, such as {}"
    return fault(first, ".".join(place), ())


def _refuse_unknown(given: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    for name in given:
        if name not in known:
            raise ValueError(f"no setting called {name[:80]!r}{nearest(name[:80], known)}")
    return given


def typed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with numbers where a form has sent strings; raise ConfigError where one cannot be."""
    settings = {name: value for name, value in settings.items() if value is not None}
    try:
        read = Settings.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(explain(error, settings, "", Settings.model_fields)) from error
    return {name: getattr(read, name) for name in settings}


SettingsByName = Annotated[dict[str, Any], AfterValidator(lambda given: _refuse_unknown(given, Settings.model_fields))]
"""Settings of a run, of which only the names have been checked."""
