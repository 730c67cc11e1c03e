"""What the service takes and answers, from which FastAPI makes its description in OpenAPI's form."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..data.pictures import FORMS

__all__ = ["BODY", "PICTURE_BODY", "Description", "Error", "Health", "Numbers", "Prediction", "errors"]


class Health(BaseModel):
    """That the server is up."""

    status: Literal["ok"]
    version: str = Field(description="Of glassnet.")


class Description(BaseModel):
    """The model that answers."""

    classes: list[str] = Field(description="The name of each class.")
    image_shape: list[int] = Field(
        min_length=2, max_length=2, description="Height and width of the images that the network sees, in pixels."
    )
    parameters: int = Field(description="The number of trained parameters.")
    members: int = Field(description="The number of networks: more than one is an ensemble.")
    layers: list[dict[str, Any]] = Field(description="The layers of each network with their settings, input first.")
    trained_on: str = Field(description="The data set, or the name of its file or folder; empty for arrays in memory.")


class Prediction(BaseModel):
    """What `glassnet predict --json` says of an image."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(description="The most probable class.")
    probabilities: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        description="The probability of each class by its name; they add up to 1, but for rounding."
    )
    doubt: Annotated[float, Field(ge=0, le=1)] | None = Field(
        description="How little the image is like a digit; 1 in 100 digits has more than 0.5. Null if unknown."
    )
    digits: int | None = Field(None, description="How many digits there seem to be, if more than one.")
    input: str = Field(description="Which image it was.")


class ReadDigit(BaseModel):
    """One digit of a picture."""

    label: str = Field(description="The most probable class.")
    probability: float = Field(description="Of that class.")
    doubt: float | None = Field(description="As in a prediction.")
    box: tuple[float, float, float, float] = Field(
        description="Left, top, right and bottom as fractions of the picture's width and height."
    )
    line: int = Field(description="Its line in numbers, from 0.")
    number: int = Field(description="Its number in that line, from 0.")


class Numbers(BaseModel):
    """What was read in a picture."""

    numbers: list[list[str]] = Field(description="The numbers of each line; of a grid, the cells of each row.")
    digits: list[ReadDigit]


class Error(BaseModel):
    """What was wrong, and what to do."""

    model_config = ConfigDict(extra="forbid")

    error: str = Field(description="One line.")


Row = Annotated[list[Annotated[float, Field(ge=0, le=255)]], Field(min_length=1)]
Image = Annotated[
    list[Row],
    Field(
        min_length=1,
        description="The rows of an image from top to bottom, all of the same length, each of gray values: whole "
        "numbers from 0 to 255, or, where none of a request is above 16, from 0 to the largest of them, or fractions "
        "from 0 to 1. An image of "
        "the model's own height and width is taken as it is; any other is prepared as a picture file is.",
    ),
]


class OneImage(BaseModel):
    """One image."""

    model_config = ConfigDict(extra="forbid")
    pixels: Image


class SeveralImages(BaseModel):
    """Several images of the same height and width."""

    model_config = ConfigDict(extra="forbid")
    images: Annotated[list[Image], Field(min_length=1)]


# Two strokes of a 1 in five rows: small enough to read, and something to recognise.
EXAMPLE = [[0, 0, 255, 0, 0], [0, 200, 255, 0, 0], [0, 0, 255, 0, 0], [0, 0, 255, 0, 0], [0, 0, 255, 0, 0]]
FILE = {"schema": {"type": "string", "format": "binary"}}
PICTURES: dict[str, Any] = {f"image/{kind.lower()}": FILE for kind in FORMS}
PICTURE_BODY = {"required": True, "content": PICTURES}
BODY = {
    "required": True,
    "content": {
        **PICTURES,
        "multipart/form-data": {
            "schema": {"type": "object", "additionalProperties": {"type": "string", "format": "binary"}},
        },
        "application/json": {
            "schema": {"oneOf": [kind.model_json_schema() for kind in (OneImage, SeveralImages)]},
            "example": {"pixels": EXAMPLE},
        },
    },
}


def errors(described: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """Return how OpenAPI describes answers that say what was wrong, given by their status."""
    return {status: {"model": Error, "description": words} for status, words in described.items()}
