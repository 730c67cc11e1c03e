"""A doctor for other people's convolutions: from their functions to the mistakes in them.

Each function is asked on numbers of the doctor's own, in the shapes and types given, and held against the layers of
`glassnet.nn` in float64: the right ones, and those with a known mistake planted in them.
"""

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike

from ...errors import ConfigError, DataError, GlassnetError
from . import checks_convolution as checks
from .convolution_case import open_convolution
from .diagnosis import OF_CONVOLUTIONS, Diagnosis, Report

__all__ = ["examine_convolution"]

OTHERS = ("same", 1, 2, 3)  # paddings than "valid" that people have and may not think of naming


def examine_convolution(
    *,
    X: ArrayLike,
    W: ArrayLike,
    b: ArrayLike,
    forward: Callable[[Any, Any, Any], Any] | None = None,
    backward: Callable[[Any, Any, Any, Any], Sequence[Any]] | None = None,
    patches: Callable[[Any], Any] | None = None,
    pool: Callable[[Any], Any] | None = None,
    pool_backward: Callable[[Any, Any], Any] | None = None,
    flatten: Callable[[Any], Any] | None = None,
    flatten_backward: Callable[[Any, Any], Any] | None = None,
    stride: int = 1,
    padding: str | int | None = None,
    pool_size: int = 2,
    pool_stride: int | None = None,
    channels: str | None = None,
) -> Diagnosis:
    """Say which known mistakes are in somebody's convolution and in what goes around it.

        diagnosis = examine_convolution(
            X=images, W=filters, b=biases, padding="same",
            forward=conv_forward, backward=conv_backward, patches=lambda X: im2col(X, 3, 3, padding=1),
            pool=pool_forward, pool_backward=pool_backward,
        )
        print(diagnosis)

    Give the functions that there are. Images are (n, h, w, c) with filters (kh, kw, c, filters), or (n, c, h, w) with
    filters (filters, c, kh, kw). What goes beyond one layer, such as softmax and the first weights, is for `examine`.

    Args:
        X: some images, of which four are enough; their numbers do not matter.
        W: filters; their numbers do not matter either.
        b: one bias for each filter.
        forward: ``forward(X, W, b)`` returns Z.
        backward: ``backward(X, W, b, dZ)`` returns dX, dW and db; dX may be None in a first layer.
        patches: ``patches(X)`` returns what lies under the window at each place, a place a row, or a place a column.
        pool: ``pool(Z)`` returns the largest number under each window.
        pool_backward: ``pool_backward(Z, dY)`` returns dZ.
        flatten: ``flatten(Z)`` returns the images as rows, or as columns.
        flatten_backward: ``flatten_backward(Z, dY)`` returns dZ.
        stride: of the convolution.
        padding: of the convolution: "valid", "same", or so many rows and columns of zeros on each side. By default
            "valid"; where the functions fit another better, an error says which.
        pool_size: of the pool's window.
        pool_stride: how far it moves; by default its size.
        channels: ``first`` or ``last``; by default as the shapes tell.

    Raises:
        ConfigError: nothing to examine, an argument that cannot be used, shapes that can be read both ways, or a
            padding that is not "valid" and was not given.
        DataError: arrays that do not fit together, or a function that fails or returns arrays of other kinds.
    """
    if not any((forward, backward, patches, pool, pool_backward, flatten_backward)):
        raise ConfigError(
            "nothing to examine: give forward, backward, patches, pool, pool_backward or flatten with flatten_backward"
        )
    if (flatten is None) != (flatten_backward is None):
        raise ConfigError("give flatten and flatten_backward together: one undoes the other")

    def examined(padding: str | int) -> Diagnosis:
        case = open_convolution(X, W, b, stride, padding, channels)
        report = Report(OF_CONVOLUTIONS)
        checks.check_shapes(report, case)
        checks.check_forward(report, case, forward)
        checks.check_backward(report, case, backward)
        checks.check_patches(report, case, patches)
        checks.check_pool(report, case, pool, pool_backward, pool_size, pool_stride)
        checks.check_flatten(report, case, flatten, flatten_backward)
        return report.diagnosis()

    return _examined_as_valid(examined) if padding is None else examined(padding)


def _examined_as_valid(examined: Callable[[str | int], Diagnosis]) -> Diagnosis:
    """Examine without padding; raise ConfigError where there are fewer mistakes with another, which was not named."""
    failure = None
    try:
        diagnosis = examined("valid")
    except DataError as error:
        failure = error
    if failure is None and not diagnosis:
        return diagnosis
    for padding in OTHERS:
        try:
            other = examined(padding)
        except GlassnetError:
            continue
        if failure or len(other) < len(diagnosis):
            fit = "fit better with" if other else "are correct for"
            raise ConfigError(f"the functions {fit} padding={padding!r} and not the default, 'valid'; pass that")
    if failure:
        raise failure
    return diagnosis
