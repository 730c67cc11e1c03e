"""The service in the words of OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0), for programs that write programs."""

from typing import Any

from .. import __version__
from .guard import LARGEST_BODY

__all__ = ["description"]

Schema = dict[str, Any]

IMAGE: Schema = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "array", "minItems": 1, "items": {"type": "number", "minimum": 0, "maximum": 255}},
    "description": "An image: its rows from top to bottom, all of the same length, each of gray values: "
    "whole numbers from 0 to 255, or, where none of a request is above 1 and one is a fraction, from 0 to 1.",
}
SCHEMAS: dict[str, Schema] = {
    "Health": {
        "type": "object",
        "required": ["status", "version"],
        "properties": {"status": {"const": "ok"}, "version": {"type": "string", "description": "Of glassnet."}},
    },
    "Model": {
        "type": "object",
        "required": ["classes", "image_shape", "parameters", "members", "layers", "trained_on"],
        "properties": {
            "classes": {"type": "array", "items": {"type": "string"}, "description": "The name of each class."},
            "image_shape": {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "integer"}],
                "minItems": 2,
                "maxItems": 2,
                "description": "Height and width, in pixels, of the images that the network sees.",
            },
            "parameters": {"type": "integer", "description": "How many numbers it has learned."},
            "members": {"type": "integer", "description": "How many networks it joins."},
            "layers": {
                "type": "array",
                "items": {"type": "object", "required": ["layer"], "properties": {"layer": {"type": "string"}}},
                "description": "Of each network, from the input to the output, each with its settings.",
            },
            "trained_on": {"type": "string", "description": "The data set; empty where it was in memory."},
        },
    },
    "Image": IMAGE,
    "Question": {
        "description": "One image, or several of the same height and width. An image of the model's own height and "
        "width is taken as it stands; any other is prepared as a picture file is.",
        "oneOf": [
            {
                "type": "object",
                "required": ["pixels"],
                "additionalProperties": False,
                "properties": {"pixels": {"$ref": "#/components/schemas/Image"}},
            },
            {
                "type": "object",
                "required": ["images"],
                "additionalProperties": False,
                "properties": {
                    "images": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Image"}}
                },
            },
        ],
    },
    "Predictions": {
        "type": "array",
        "description": "For each image, in the order in which they were sent, what `glassnet predict --json` says.",
        "items": {
            "type": "object",
            "required": ["label", "probabilities", "input"],
            "additionalProperties": False,
            "properties": {
                "label": {"type": "string", "description": "The most probable class."},
                "probabilities": {
                    "type": "object",
                    "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
                    "description": "Of each class, by its name; together 1, but for rounding.",
                },
                "input": {"type": "string", "description": "Which image it was."},
            },
        },
    },
    "Error": {
        "type": "object",
        "required": ["error"],
        "additionalProperties": False,
        "properties": {"error": {"type": "string", "description": "What was wrong, and what to do, in one line."}},
    },
}
BINARY: Schema = {"type": "string", "format": "binary"}
# Two strokes of a 1 in five rows: small enough to read, and something to recognise.
EXAMPLE = [[0, 0, 255, 0, 0], [0, 200, 255, 0, 0], [0, 0, 255, 0, 0], [0, 0, 255, 0, 0], [0, 0, 255, 0, 0]]


def description() -> Schema:
    """Return what ``/openapi.json`` answers."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "glassnet",
            "version": __version__,
            "description": "Recognises pictures of handwritten digits, or whatever else its model has learned.",
        },
        "paths": {
            "/api/health": {"get": _operation("health", "Say that the server lives.", "Health")},
            "/api/model": {"get": _operation("model", "Describe the model.", "Model", {400: "There is no model yet."})},
            "/api/predict": {"post": _predict()},
            "/openapi.json": {
                "get": {
                    "operationId": "description",
                    "summary": "This description.",
                    "responses": {"200": _answer("The description.", {"type": "object"})} | _errors({}),
                }
            },
        },
        "components": {"schemas": SCHEMAS},
    }


def _predict() -> Schema:
    errors = {
        400: "No picture, a damaged one, no digit in it, or pixels that are no gray values.",
        403: "Sent by another site's page.",
        408: "The body did not come in time.",
        413: f"The body has more than {LARGEST_BODY:,} bytes.",
    }
    operation = _operation("predict", "Recognise images.", "Predictions", errors)
    operation["description"] = (
        "A picture may be dark on light or light on dark, of any size, off-centre, in colour: it is brought into the "
        "form of the images that the model learned."
    )
    question = {"schema": _reference("Question"), "example": {"pixels": EXAMPLE}}
    pictures = {"image/png": {"schema": BINARY}, "image/jpeg": {"schema": BINARY}}
    operation["requestBody"] = {"required": True, "content": {**pictures, "application/json": question}}
    return operation


def _operation(name: str, summary: str, answer: str, errors: dict[int, str] | None = None) -> Schema:
    answers = {"200": _answer(summary, _reference(answer))} | _errors(errors or {})
    return {"operationId": name, "summary": summary, "responses": answers}


def _errors(errors: dict[int, str]) -> Schema:
    """Return the answers of an operation that say what was wrong; one of them any request may get."""
    everywhere = {421: "The Host of the request is none of this server's names."}
    return {str(status): _answer(words, _reference("Error")) for status, words in (errors | everywhere).items()}


def _answer(words: str, schema: Schema) -> Schema:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
