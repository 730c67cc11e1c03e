"""A hundred digits as people draw them: strokes, none taken from MNIST, painted as the page does."""

import io
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Points = NDArray[np.float64]  # (n, 2): x to the right and y down, in shares of the paper's side
Strokes = list[Points]

SIDE = 280  # pixels
BRUSH = 1 / 12  # width of the page's brush
# Its soft edge: one upon the other, narrower and narrower strokes, and their opacity.
EDGE = ((1.3, 0.12), (1.2, 0.2), (1.1, 0.3), (1, 0.4), (0.9, 0.5), (0.8, 0.7), (0.7, 1))


@dataclass(frozen=True)
class Hand:
    """How somebody draws: where, how large, how thick, how tilted, how wide and how unsteadily."""

    size: float = 0.62  # height, as a share of the paper
    centre: tuple[float, float] = (0.5, 0.5)
    tilt: float = 0.0  # degrees, clockwise
    width: float = BRUSH
    breadth: float = 1.0
    jitter: float = 0.006  # of the paper


HANDS = {
    "plain": Hand(),
    "top left": Hand(0.42, (0.26, 0.28)),
    "bottom right": Hand(0.42, (0.72, 0.72)),
    "thin": Hand(width=1 / 45),
    "thick": Hand(0.75, width=1 / 7),
    "tilted right": Hand(tilt=14),
    "tilted left": Hand(tilt=-14),
    "small": Hand(0.24, (0.62, 0.4), width=1 / 28),
    "large": Hand(0.86, breadth=1.1),
    "unsteady": Hand(0.55, (0.45, 0.55), 5, breadth=0.85, jitter=0.016),
}


def curve(*points: tuple[float, float]) -> Points:
    """A smooth line through points (Catmull and Rom, 1974)."""
    p = np.array([points[0], *points, points[-1]], float)
    t = np.linspace(0, 1, 12, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
        parts.append(b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))
    return np.concatenate([*parts, p[-1:]])


def line(*points: tuple[float, float]) -> Points:
    """Straight from point to point."""
    parts = [np.linspace(a, b, 12, endpoint=False) for a, b in pairwise(points)]
    return np.concatenate([*parts, np.array(points[-1:], float)])


def ring(x: float, y: float, rx: float, ry: float, begin: float = -100, turn: float = -370) -> Points:
    """Around a centre, from an angle in degrees (0 is right, 90 down) on by a turn, which may not quite close."""
    angle = np.radians(np.linspace(begin, begin + turn, 60))
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


# Each digit is about one high, from y = 0 to y = 1, and as wide as it likes.
SHAPES: dict[int, list[Strokes]] = {
    0: [
        [ring(0.3, 0.5, 0.32, 0.5)],
        [ring(0.3, 0.5, 0.24, 0.5, -60, -350)],
        [ring(0.4, 0.5, 0.42, 0.5, -110, -375)],
    ],
    1: [
        [line((0.3, 0), (0.3, 1))],
        [line((0.1, 0.24), (0.34, 0), (0.34, 1))],
        [line((0.1, 0.22), (0.34, 0), (0.34, 1)), line((0.08, 1), (0.6, 1))],
        [curve((0.46, 0), (0.36, 0.5), (0.28, 1))],
    ],
    2: [
        [
            curve((0.03, 0.25), (0.12, 0.05), (0.35, 0), (0.55, 0.12), (0.53, 0.38), (0.3, 0.7), (0.03, 1)),
            line((0.03, 1), (0.65, 0.98)),
        ],
        [
            curve(
                (0.05, 0.2),
                (0.25, 0.01),
                (0.5, 0.1),
                (0.5, 0.4),
                (0.25, 0.8),
                (0.08, 0.97),
                (0.0, 0.88),
                (0.12, 0.78),
                (0.35, 0.92),
                (0.66, 0.95),
            ),
        ],
        [
            curve((0.02, 0.12), (0.3, 0), (0.56, 0.1), (0.6, 0.3), (0.4, 0.6), (0.02, 0.98)),
            curve((0.02, 0.98), (0.3, 0.93), (0.66, 1)),
        ],
    ],
    3: [
        [
            curve((0.05, 0.12), (0.25, 0), (0.5, 0.08), (0.52, 0.3), (0.22, 0.46)),
            curve((0.22, 0.46), (0.52, 0.55), (0.58, 0.8), (0.35, 1), (0.02, 0.9)),
        ],
        [
            line((0.05, 0.02), (0.55, 0.02), (0.25, 0.42)),
            curve((0.25, 0.42), (0.52, 0.5), (0.58, 0.78), (0.35, 1), (0.02, 0.92)),
        ],
        [
            curve(
                (0.02, 0.06),
                (0.3, 0),
                (0.48, 0.18),
                (0.4, 0.38),
                (0.2, 0.46),
                (0.46, 0.54),
                (0.56, 0.75),
                (0.4, 0.97),
                (0.0, 0.98),
            )
        ],
    ],
    4: [
        [line((0.14, 0), (0.04, 0.55), (0.62, 0.55)), line((0.5, 0.05), (0.48, 1))],
        [line((0.45, 0), (0.02, 0.64), (0.7, 0.64)), line((0.46, 0), (0.46, 1))],
        [curve((0.08, 0.02), (0.06, 0.35), (0.2, 0.5), (0.52, 0.46)), line((0.56, 0), (0.52, 1))],
        [line((0.4, 0.02), (0.02, 0.6), (0.62, 0.56)), line((0.44, 0.36), (0.36, 1))],
    ],
    5: [
        [
            line((0.1, 0.02), (0.08, 0.42)),
            curve((0.08, 0.42), (0.3, 0.36), (0.55, 0.5), (0.55, 0.8), (0.3, 1), (0.02, 0.93)),
            line((0.1, 0.02), (0.58, 0)),
        ],
        [
            line((0.58, 0), (0.15, 0.02), (0.08, 0.44)),
            curve((0.08, 0.44), (0.35, 0.38), (0.58, 0.62), (0.45, 0.92), (0.2, 1), (0.0, 0.9)),
        ],
        [
            curve(
                (0.6, 0.0),
                (0.2, 0.04),
                (0.1, 0.25),
                (0.14, 0.4),
                (0.42, 0.46),
                (0.56, 0.68),
                (0.42, 0.94),
                (0.02, 0.98),
            )
        ],
    ],
    6: [
        [
            curve(
                (0.45, 0),
                (0.18, 0.25),
                (0.03, 0.6),
                (0.08, 0.88),
                (0.3, 1),
                (0.54, 0.88),
                (0.52, 0.64),
                (0.3, 0.55),
                (0.07, 0.72),
            )
        ],
        [curve((0.2, 0), (0.08, 0.3), (0.02, 0.7), (0.2, 0.99), (0.46, 0.9), (0.5, 0.66), (0.28, 0.54), (0.06, 0.68))],
        [
            curve(
                (0.52, 0.03),
                (0.3, 0.08),
                (0.08, 0.4),
                (0.03, 0.75),
                (0.26, 1),
                (0.52, 0.84),
                (0.44, 0.6),
                (0.2, 0.6),
                (0.06, 0.78),
            )
        ],
    ],
    7: [
        [line((0.02, 0.03), (0.58, 0.02), (0.22, 1))],
        [line((0.02, 0.03), (0.58, 0.02), (0.22, 1)), line((0.18, 0.5), (0.58, 0.48))],
        [line((0.02, 0.16), (0.04, 0.02), (0.58, 0.03)), curve((0.58, 0.03), (0.38, 0.4), (0.3, 1))],
        [curve((0.0, 0.08), (0.3, 0.06), (0.56, 0.02)), curve((0.56, 0.02), (0.42, 0.5), (0.12, 1))],
    ],
    8: [
        [
            curve(
                (0.5, 0.14),
                (0.28, 0),
                (0.08, 0.14),
                (0.14, 0.34),
                (0.42, 0.56),
                (0.5, 0.8),
                (0.28, 1),
                (0.04, 0.82),
                (0.12, 0.58),
                (0.4, 0.36),
                (0.52, 0.16),
            )
        ],
        [ring(0.3, 0.24, 0.22, 0.24, 80), ring(0.3, 0.73, 0.28, 0.27)],
        [
            curve(
                (0.46, 0.05),
                (0.2, 0.02),
                (0.1, 0.2),
                (0.28, 0.44),
                (0.5, 0.7),
                (0.36, 0.98),
                (0.1, 0.92),
                (0.1, 0.7),
                (0.34, 0.42),
                (0.54, 0.2),
                (0.44, 0.04),
            )
        ],
    ],
    9: [
        [ring(0.28, 0.27, 0.25, 0.27, -30), line((0.54, 0.12), (0.5, 1))],
        [ring(0.28, 0.25, 0.25, 0.25, -20), curve((0.53, 0.2), (0.5, 0.6), (0.4, 0.92), (0.1, 0.98))],
        [ring(0.28, 0.27, 0.22, 0.27, -20), curve((0.5, 0.2), (0.42, 0.6), (0.26, 1))],
        [curve((0.5, 0.1), (0.24, 0.0), (0.04, 0.22), (0.16, 0.46), (0.4, 0.42), (0.54, 0.12), (0.52, 0.5), (0.54, 1))],
    ],
}


def drawn(digit: int, number: int, seed: int = 0) -> tuple[Strokes, Hand]:
    """Strokes on the paper: a digit in one of its shapes, by the hand of that number."""
    hand = list(HANDS.values())[number]
    rng = np.random.default_rng([seed, digit, number])
    shape = SHAPES[digit][number % len(SHAPES[digit])]
    everything = np.concatenate(shape)
    middle = (everything.min(axis=0) + everything.max(axis=0)) / 2
    tilt = np.radians(hand.tilt + rng.normal(0, 2.5))
    turned = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    grown = hand.size * np.diag([hand.breadth * rng.uniform(0.88, 1.12), 1])
    return [_shaken((stroke - middle) @ (turned @ grown).T + hand.centre, hand.jitter, rng) for stroke in shape], hand


def _shaken(stroke: Points, jitter: float, rng: np.random.Generator) -> Points:
    """The stroke by a hand that trembles slowly, and puts the pen down a little off."""
    tremble = ndimage.gaussian_filter1d(rng.normal(size=stroke.shape), 5, axis=0, mode="nearest")
    return stroke + jitter * (tremble / max(tremble.std(), 1e-9) + rng.normal(size=2))


def painted(strokes: Strokes, width: float = BRUSH, light: bool = False) -> bytes:
    """The PNG of strokes with the brush's soft edge: black on white, or light on dark."""
    ink = np.zeros((SIDE, SIDE))
    for stroke in strokes:
        away = _distances(SIDE * stroke, width * SIDE)
        for share, opacity in EDGE:
            cover = opacity * np.clip(share * width * SIDE / 2 - away + 0.5, 0, 1)
            ink += (1 - ink) * cover
    file = io.BytesIO()
    gray = np.rint(17 + 238 * (ink if light else 1 - ink))
    Image.fromarray(gray.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def _distances(stroke: Points, reach: float) -> NDArray[np.float64]:
    """How far each pixel's middle is from a line through points, in pixels; infinity is more than ``reach``."""
    away = np.full((SIDE, SIDE), np.inf)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    for a, b in pairwise(stroke):
        first = np.floor(np.minimum(a, b) - reach).astype(int).clip(0, SIDE)
        last = np.ceil(np.maximum(a, b) + reach).astype(int).clip(0, SIDE)
        near = slice(first[1], last[1]), slice(first[0], last[0])
        along, beyond = b - a, np.stack([x[near] - a[0], y[near] - a[1]], axis=-1)
        share = np.clip(beyond @ along / max(along @ along, 1e-12), 0, 1)
        away[near] = np.minimum(away[near], np.linalg.norm(beyond - share[..., None] * along, axis=-1))
    return away
