"""Which mistakes turn what a convolution, a pool or a reshape should return into what somebody's own returns?"""

from collections.abc import Callable, Iterator, Mapping
from itertools import permutations
from math import prod
from typing import Any

import numpy as np

from ...errors import ConfigError, DataError
from ...nn import MaxPool2D
from ...nn.types import Array
from ..mistakes import MISTAKES
from .case import numbers
from .comparison import agree
from .convolution_case import ConvolutionCase, through
from .diagnosis import Report
from .equations import Bounded

__all__ = ["check_backward", "check_flatten", "check_forward", "check_patches", "check_pool", "check_shapes"]

ONE_BIAS, ROWS, POOL, FLIP, FOLDED, PADDING, PER_PIXEL = (
    "one-bias-gradient",
    "wrong-row-count",
    "pool-gradient-to-all-places",
    "unflipped-filters",
    "channels-folded-first",
    "wrong-padding",
    "bias-per-pixel",
)
AXES = "n", "oh", "ow", "kh", "kw", "c"
PLACES = [("n", "oh", "ow"), ("oh", "ow", "n")]
UNDER = [("kh", "kw", "c"), ("c", "kh", "kw")]


def same(theirs: Array, right: Array, unit: float, factor: float = 1.0) -> bool:
    """Return whether two arrays are the same to rounding."""
    scale = float(np.abs(right).max(initial=0))
    bounded = Bounded(right, np.full(right.shape, 16 * unit * scale))
    return theirs.shape == right.shape and agree(theirs, bounded, factor)


def apart(theirs: Array, right: Array) -> str:
    """Say how far an array is from the right one."""
    if not np.isfinite(theirs).all():
        return f"{np.count_nonzero(~np.isfinite(theirs))} of its {theirs.size} numbers are NaN or infinite"
    percent = 100 * float(np.linalg.norm(theirs - right)) / (float(np.linalg.norm(right)) or 1.0)
    return f"it differs from the right one by {percent:.2g} %"


def check_shapes(report: Report, case: ConvolutionCase) -> None:
    """Look at how many biases there are."""
    filters, given = case.W.shape[3], prod(case.their_b)
    if given != filters:
        report.found(PER_PIXEL, f"b has shape {case.their_b}, {given} numbers for {filters} filters")


def check_forward(report: Report, case: ConvolutionCase, forward: Callable[..., Any] | None) -> None:
    """Ask forward, and say where its padding lies if that is what is wrong."""
    if forward is None:
        return
    found = numbers(case.ask(forward, "forward(X, W, b)", case.images(case.X), *case.parameters()), "Z")
    biases = case.b if case.b.size == case.W.shape[3] else np.zeros(case.W.shape[3])
    right = through(case.layer, case.X, None, case.W, biases).Y
    ours = found.transpose(0, 2, 3, 1) if case.first and found.ndim == 4 else found
    if ours.shape != right.shape:
        told = f"forward returns Z of shape {found.shape}, and {case.shape_words(right.shape)} is right"
        named = ours.ndim == 4 and (ours.shape[0], ours.shape[3]) == (right.shape[0], right.shape[3])
        report.found(PADDING if named else "unexplained-convolution", told)
    elif not same(ours, right, case.unit):
        for words, other in _forwards(case, biases):
            if same(ours, other, case.unit):
                report.found(PADDING if "zeros" in words else "unexplained-convolution", f"Z is that of {words}")
                return
        report.found("unexplained-convolution", f"Z: {apart(ours, right)}")


def _forwards(case: ConvolutionCase, biases: Array) -> Iterator[tuple[str, Array]]:
    """Yield what Z would be otherwise, and how."""
    flipped = through(case.layer, case.X, None, case.W[::-1, ::-1], biases).Y
    yield "filters turned by half a turn: a convolution in the sense of mathematics, not of neural networks", flipped
    window = case.window
    down, across = window.top + window.bottom, window.left + window.right
    for top in range(down + 1):
        for left in range(across + 1):
            room = np.pad(case.X, ((0, 0), (top, down - top), (left, across - left), (0, 0)))
            layer = type(case.layer)(case.layer.filters, case.layer.size, case.layer.stride)
            words = (
                f"{top} rows of zeros above and {down - top} below, {left} columns left and {across - left} right; "
                f"{window.top} and {window.bottom}, {window.left} and {window.right} are right"
            )
            yield words, through(layer, room, None, case.W, biases).Y


def check_backward(report: Report, case: ConvolutionCase, backward: Callable[..., Any] | None) -> None:
    """Ask backward for its three gradients."""
    if backward is None:
        report.skip((FLIP, PADDING, ROWS, ONE_BIAS, FOLDED), "backward was not given")
        return
    wording = "backward(X, W, b, dZ)"
    given = case.ask(backward, wording, case.images(case.X), *case.parameters(), case.images(case.dZ))
    if not isinstance(given, tuple | list) or len(given) != 3:
        raise DataError(f"{wording} returns dX, dW and db, not {len(given) if isinstance(given, tuple | list) else 1}")
    dX, dW, db = given
    biases = np.zeros(case.W.shape[3])
    right = through(case.layer, case.X, case.dZ, case.W, biases)
    factor_W = _check_filters(report, case, case.read_filters(dW, "dW"), right.p.dW)
    _check_biases(report, case, numbers(db, "db").astype(float), right.p.db, factor_W)
    if dX is None:
        report.skip((FLIP, PADDING, FOLDED), "backward returns no dX")
    else:
        _check_images(report, case, dX, right.dX)


def _check_filters(report: Report, case: ConvolutionCase, dW: Array, right: Array) -> float:
    """Look at the gradient of the filters; return its factor to the right one, 1 where it is not a multiple of it."""
    factor = float((dW * right).sum() / (right * right).sum())
    if same(dW, right, case.unit):
        return 1.0
    if np.isfinite(factor) and factor > 0 and same(dW, right, case.unit, factor):
        if not _close(factor * len(case.X), 1):  # then dZ is taken to be a sum's, and the mean is taken here
            report.found(ROWS, f"dW is {factor:.6g} × the right one, which is a sum over {len(case.X)} images")
        return factor
    report.found("unexplained-convolution", f"dW: {apart(dW, right)}")
    return 1.0


def _check_biases(report: Report, case: ConvolutionCase, db: Array, right: Array, factor_W: float) -> None:
    """Look at the gradient of the biases; ``factor_W`` is the multiple that the filters' gradient is."""
    if db.size == case.dZ[0].size != right.size:
        report.found(PER_PIXEL, f"db has shape {db.shape}, one number for each place, and {right.shape} is right")
        return
    flat = db.ravel()
    if right.size > 1 and (flat.size == 1 or (flat == flat[0]).all()):
        report.found(ONE_BIAS, f"db is {flat[0]:.3g} for all {right.size} filters")
        return
    if flat.shape != right.shape:
        raise DataError(f"db has shape {db.shape}; it has one number for each of the {right.size} filters")
    factor = float((flat * right).sum() / (right * right).sum())
    if same(flat, right, case.unit, factor if factor > 0 else 1.0):
        if not _close(factor, factor_W):
            places = prod(case.dZ.shape[1:3])
            told = f"db is {factor:.6g} × the right one, a sum over {len(case.X)} images and {places} places, where dW"
            report.found(ROWS, f"{told} is {factor_W:.6g} × its own")
    else:
        report.found("unexplained-convolution", f"db: {apart(flat, right)}")


def _close(one: float, other: float) -> bool:
    return abs(one / other - 1) < 1e-5


def _check_images(report: Report, case: ConvolutionCase, given: Any, right: Array) -> None:
    dX = numbers(given, "dX")
    ours = dX.transpose(0, 2, 3, 1) if case.first and dX.ndim == 4 else dX
    wrong = _wrong_images(case, right)
    if ours.shape != right.shape:
        told = f"dX has shape {dX.shape}, and X {case.shape_words(right.shape)}"
        padded = case.window.padded and ours.ndim == 4 and ours.shape[1] > right.shape[1]
        report.found(PADDING if padded else "unexplained-convolution", told)
        return
    if not same(ours.astype(float), right, case.unit):
        for name, (words, other) in wrong.items():
            if same(ours.astype(float), other, case.unit):
                report.found(name, f"dX {words}; {apart(ours, right)}")
                return
        report.found("unexplained-convolution", f"dX: {apart(ours, right)}")
    alike = [name for name, (_, other) in wrong.items() if same(other, right, case.unit)]
    report.skip(alike, "with this window, padding and number of channels dX is the same with and without it")


def _wrong_images(case: ConvolutionCase, right: Array) -> Mapping[str, tuple[str, Array]]:
    """Return dX as each mistake has it, with words for the evidence."""
    biases = np.zeros(case.W.shape[3])
    planted = {
        name: through(MISTAKES[name]().layer(case.layer), case.X, case.dZ, case.W, biases).dX
        for name in (FLIP, PADDING)
    }
    return {
        FLIP: ("is that of filters which are not flipped on the way back", planted[FLIP]),
        PADDING: ("is cut from the corner of the padded image", planted[PADDING]),
        FOLDED: ("has the right numbers in the order of other axes", _folded(case, right)),
    }


def _folded(case: ConvolutionCase, images: Array) -> Array:
    """Lay images out with channels where they do not have them, and fold that back to the shape that they have."""
    if case.first:
        n, h, w, c = images.shape
        return np.ascontiguousarray(images).reshape(n, c, h, w).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(images.shape)


def check_patches(report: Report, case: ConvolutionCase, patches: Callable[..., Any] | None) -> None:
    """Ask for what lies under the window at each place, in whichever order its numbers are."""
    if patches is None:
        return
    found = numbers(case.ask(patches, "patches(X)", case.images(case.X)), "patches").astype(float)
    seen = _seen(case)
    places, under = prod(seen.shape[:3]), prod(seen.shape[3:])
    if found.shape not in ((places, under), (under, places)):
        report.found(
            "unexplained-convolution",
            f"patches have shape {found.shape}; with {places} places of {under} numbers it is ({places}, {under}), or "
            f"({under}, {places})",
        )
        return
    right = [rows + columns for rows in PLACES for columns in UNDER] if found.shape == (places, under) else []
    right += [rows + columns for rows in UNDER for columns in PLACES] if found.shape == (under, places) else []
    if any(_in_order(seen, order, found) for order in right):
        return
    for order in permutations(AXES):
        if _in_order(seen, order, found):
            report.found(FOLDED, f"patches {found.shape} hold the numbers in the order of ({', '.join(order)})")
            return
    report.found("unexplained-convolution", "patches hold other numbers than those under the window at each place")


def _seen(case: ConvolutionCase) -> Array:
    """Return what lies under the window at each place, by the axes of `AXES`."""
    window, theirs = case.window, case.images(case.X)  # in their precision, so that the numbers are equal
    X = (theirs.transpose(0, 2, 3, 1) if case.first else theirs).astype(float)
    room = np.pad(X, ((0, 0), (window.top, window.bottom), (window.left, window.right), (0, 0)))
    seen = np.lib.stride_tricks.sliding_window_view(room, (window.height, window.width), axis=(1, 2))
    return seen[:, :: window.stride, :: window.stride].transpose(0, 1, 2, 4, 5, 3)


def _in_order(seen: Array, order: tuple[str, ...], found: Array) -> bool:
    """Return whether the numbers lie in the order of these axes."""
    return np.array_equal(seen.transpose([AXES.index(axis) for axis in order]).ravel(), found.ravel())


def check_pool(
    report: Report,
    case: ConvolutionCase,
    pool: Callable[..., Any] | None,
    backward: Callable[..., Any] | None,
    size: int,
    stride: int | None,
) -> None:
    """Ask a max pool on feature maps as large as the convolution's."""
    if backward is None:
        report.skip([POOL], "pool_backward was not given")
    if pool is None and backward is None:
        return
    try:
        layer = MaxPool2D(size, stride)
        places = layer.output_shape(case.dZ.shape[1:])
    except ValueError as error:
        raise ConfigError(str(error)) from error
    dY = np.random.default_rng(3).standard_normal((len(case.dZ), *places))
    right = through(layer, case.dZ, dY)
    if pool is not None:
        Y = case.read(case.ask(pool, "pool(Z)", case.images(case.dZ)), "what pool returns", right.Y.shape)
        if not same(Y, right.Y, case.unit):
            report.found("unexplained-convolution", f"pool: {apart(Y, right.Y)}")
    if backward is None:
        return
    given = case.ask(backward, "pool_backward(Z, dY)", case.images(case.dZ), case.images(dY))
    dZ = case.read(given, "what pool_backward returns", case.dZ.shape)
    if same(dZ, right.dX, case.unit):
        return
    everywhere = through(MISTAKES[POOL]().layer(layer), case.dZ, dY).dX
    for factor, words in ((1.0, "the whole gradient"), (1 / size**2, "an equal part of the gradient")):
        if same(dZ, everywhere, case.unit, factor):
            report.found(POOL, f"each place under the window gets {words}, where only the largest should get it")
            return
    report.found("unexplained-convolution", f"pool_backward: {apart(dZ, right.dX)}")


def check_flatten(
    report: Report, case: ConvolutionCase, flatten: Callable[..., Any] | None, backward: Callable[..., Any] | None
) -> None:
    """Have feature maps laid out as rows and folded back, which gives the same again."""
    if flatten is None or backward is None:
        return
    maps = case.images(case.dZ)
    rows = case.ask(flatten, "flatten(Z)", maps.copy())
    back = case.ask(backward, "flatten_backward(Z, dY)", maps.copy(), rows)
    found = case.read(back, "what flatten_backward returns", case.dZ.shape)
    if not same(found, case.dZ, case.unit):
        told = "what flatten lays out as rows is folded back in the order of other axes"
        report.found(FOLDED, f"{told}: {100 * np.mean(found != case.dZ):.0f} % of the numbers lie elsewhere")
