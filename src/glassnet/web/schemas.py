"""What the service takes and answers, from which FastAPI makes its description in OpenAPI's form."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["BODY", "Description", "Error", "Health", "Prediction", "errors"]


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
    trained_on: str = Field(description="The data set; empty where it was arrays in memory.")


class Prediction(BaseModel):
    """What `glassnet predict --json` says of an image."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(description="The most probable class.")
    probabilities: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        description="The probability of each class by its name; they add up to 1, but for rounding."
    )
    input: str = Field(description="Which image it was.")


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
        "numbers from 0 to 255, or, where none of a request is above 1 and one is a fraction, from 0 to 1. An image of "
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
BODY = {
    "required": True,
    "content": {
        "image/png": FILE,
        "image/jpeg": FILE,
        "application/json": {
            "schema": {"oneOf": [kind.model_json_schema() for kind in (OneImage, SeveralImages)]},
            "example": {"pixels": EXAMPLE},
        },
    },
}


def errors(described: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """Return how OpenAPI describes answers that say what was wrong, given by their status."""
    return {status: {"model": Error, "description": words} for status, words in described.items()}
