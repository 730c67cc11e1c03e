import time
from typing import Any

import numpy as np
import pytest
from somebodys_convolution import Array, Convolution

from glassnet.clinic import Diagnosis, examine_convolution
from glassnet.errors import ConfigError, DataError

N, SIDE, CHANNELS, FILTERS = 6, 9, 3, 5


def arrays(*, first: bool, dtype: str = "float64", c: int = CHANNELS) -> dict[str, Array]:
    rng = np.random.default_rng(1)
    X, W = rng.random((N, c, SIDE, SIDE + 2)), rng.random((FILTERS, c, 3, 3))
    if not first:
        X, W = X.transpose(0, 2, 3, 1), W.transpose(2, 3, 1, 0)
    return {"X": X.astype(dtype), "W": W.astype(dtype), "b": np.zeros(FILTERS, dtype)}


def examined(
    *mistakes: str, first: bool = False, stride: int = 1, padding: int = 1, dtype: str = "float64"
) -> Diagnosis:
    theirs = Convolution(first, stride, padding, frozenset(mistakes))
    given: dict[str, Any] = arrays(first=first, dtype=dtype)
    return examine_convolution(**given, **theirs.functions(), stride=stride, padding=padding)


@pytest.mark.parametrize("first", [False, True], ids=["channels last", "channels first"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 0), (2, 1), (1, 2)])
def test_nothing_is_found_in_a_right_one(first: bool, dtype: str, stride: int, padding: int) -> None:
    start = time.perf_counter()
    diagnosis = examined(first=first, dtype=dtype, stride=stride, padding=padding)
    assert diagnosis.names == (), str(diagnosis)
    assert "unflipped-filters" in diagnosis.checked
    assert ("wrong-padding" in diagnosis.checked) == (padding > 0)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("first", [False, True], ids=["channels last", "channels first"])
@pytest.mark.parametrize(("mistake", "named", "evidence"), [
    ("unflipped-filters", "unflipped-filters", "dX is that of filters which are not flipped"),
    ("wrong-padding", "wrong-padding", "dX is cut from the corner of the padded image"),
    ("uncut", "wrong-padding", "dX has shape"),
    ("shifted", "wrong-padding", "Z is that of 2 rows of zeros above and 0 below"),
    ("channels-folded-first", "channels-folded-first", "dX has the right numbers in the order of other axes"),
    ("patches", "channels-folded-first", "hold the numbers in the order of (n, c, oh, ow, kh, kw)"),
    ("folded rows", "channels-folded-first", "is folded back in the order of other axes"),
    ("pool-gradient-to-all-places", "pool-gradient-to-all-places", "gets the whole gradient"),
    ("one-bias-gradient", "one-bias-gradient", "for all 5 filters"),
    ("bias-per-pixel", "bias-per-pixel", "one number for each place, and (5,) is right"),
    ("mean", "wrong-row-count", "a sum over 4 images and 99 places"),
    ("thirds", "wrong-row-count", "dW is 0.333333 × the right one"),
    ("turned", "unexplained-convolution", "filters turned by half a turn"),
])  # fmt: skip
def test_each_mistake_is_named_with_its_evidence(first: bool, mistake: str, named: str, evidence: str) -> None:
    diagnosis = examined(mistake, first=first)
    assert set(diagnosis.names) == {named}, str(diagnosis)
    assert evidence in diagnosis.findings[0].evidence
    assert diagnosis.findings[0].cure


def test_a_pool_that_shares_its_gradient_out_is_told() -> None:
    diagnosis = examined("pool-gradient-to-all-places", "shared")
    assert [finding.evidence for finding in diagnosis] == [
        "each place under the window gets an equal part of the gradient, where only the largest should get it"
    ]


def test_several_mistakes_are_named_together() -> None:
    names = "pool-gradient-to-all-places", "unflipped-filters", "one-bias-gradient"
    assert set(examined(*names).names) == set(names)


@pytest.mark.parametrize(
    "names", [("forward",), ("backward",), ("forward", "backward", "pool", "pool_backward"), ("patches",)]
)
@pytest.mark.parametrize(("padding", "told"), [(1, "'same'"), (2, "2")])
def test_a_right_one_with_a_padding_that_is_not_named_is_not_called_wrong(
    names: tuple[str, ...], padding: int, told: str
) -> None:
    functions = Convolution(first=False, padding=padding).functions()
    given: dict[str, Any] = arrays(first=False) | {name: functions[name] for name in names}
    with pytest.raises(ConfigError, match=f"the functions are correct for padding={told}"):
        examine_convolution(**given)
    assert examine_convolution(**given, padding=padding).names == ()


@pytest.mark.parametrize("mistake", ["one-bias-gradient", "unflipped-filters", "wrong-padding"])
def test_the_padding_is_asked_for_before_a_mistake_is_named(mistake: str) -> None:
    functions = Convolution(first=False, padding=1, mistakes=frozenset([mistake])).functions()
    with pytest.raises(ConfigError, match="the functions fit better with padding='same'"):
        examine_convolution(**arrays(first=False), **functions)


def test_a_padding_that_was_meant_to_be_none_is_a_mistake_once_it_is_named() -> None:
    forward = Convolution(first=False, padding=1).forward
    assert examine_convolution(**arrays(first=False), forward=forward, padding="valid").names == ("wrong-padding",)


def test_without_padding_none_needs_to_be_named() -> None:
    mistaken = Convolution(first=False, mistakes=frozenset(["one-bias-gradient"]))
    assert examine_convolution(**arrays(first=False), backward=mistaken.backward).names == ("one-bias-gradient",)


def test_the_mean_over_the_images_is_as_good_as_the_sum() -> None:
    theirs = Convolution(first=False)

    def backward(*given: Array) -> tuple[Array, ...]:
        dX, dW, db = theirs.backward(*given)
        return dX, dW / len(given[0]), db / len(given[0])

    assert examine_convolution(**arrays(first=False), backward=backward).names == ()


def test_biases_for_each_place_are_told_by_their_shape() -> None:
    given = arrays(first=False) | {"b": np.zeros((SIDE - 2, SIDE, FILTERS))}
    theirs = Convolution(first=False)

    def forward(X: Array, W: Array, b: Array) -> Array:
        return theirs.forward(X, W, np.zeros(FILTERS)) + b

    diagnosis = examine_convolution(**given, forward=forward)
    assert diagnosis.names == ("bias-per-pixel",)
    assert diagnosis.findings[0].evidence == "b has shape (7, 9, 5), 315 numbers for 5 filters"


def test_what_cannot_be_told_with_one_channel_is_said() -> None:
    theirs = Convolution(first=False)
    diagnosis = examine_convolution(**arrays(first=False, c=1), backward=theirs.backward)
    assert diagnosis.names == ()
    assert {"channels-folded-first", "wrong-padding"} <= set(diagnosis.unchecked)


RIGHT = Convolution(first=False)


@pytest.mark.parametrize(("given", "error", "message"), [
    ({}, ConfigError, "nothing to examine: give forward, backward"),
    ({"flatten": RIGHT.flatten}, ConfigError, "nothing to examine"),
    ({"pool": RIGHT.pool, "flatten": RIGHT.flatten}, ConfigError, "flatten and flatten_backward together"),
    ({"forward": RIGHT.forward, "channels": "middle"}, ConfigError, "channels is 'first' or 'last', not 'middle'"),
    ({"forward": RIGHT.forward, "channels": "first"}, DataError, "do not have the same number of channels"),
    ({"forward": RIGHT.forward, "X": np.ones((2, 9, 9))}, DataError, r"X has shape \(2, 9, 9\).*gray images have c"),
    ({"forward": RIGHT.forward, "X": np.ones((2, 2, 9, 3))}, ConfigError, "of 3×3 are larger than images of 2×9"),
    ({"forward": RIGHT.forward, "b": np.ones(4)}, DataError, "b has shape .4,.; it has one number for each of the 5"),
    ({"forward": RIGHT.forward, "padding": 7}, ConfigError, "the padding of a Conv2D is valid, same or a whole number"),
    ({"forward": lambda X, W, b: 1 / 0}, DataError, "raised ZeroDivisionError"),
    ({"forward": lambda X, W, b: "Z"}, DataError, "Z holds <U1, not numbers"),
    ({"backward": lambda X, W, b, dZ: dZ}, DataError, "returns dX, dW and db, not 1"),
    ({"backward": lambda X, W, b, dZ: (X, b, W)}, DataError, r"dW has shape \(5,\), and W has \(3, 3, 3, 5\)"),
    ({"pool": lambda X: X}, DataError, r"what pool returns has shape \(4, 7, 9, 5\), and \(4, 3, 4, 5\) is right"),
    ({"pool": RIGHT.pool, "pool_size": 20}, ConfigError, "leaves nothing"),
])  # fmt: skip
def test_what_cannot_be_examined_is_one_line(given: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        examine_convolution(**arrays(first=False) | given)
    assert "\n" not in str(raised.value)


def test_shapes_that_can_be_read_both_ways_are_asked_about() -> None:
    X, W, b = np.ones((2, 3, 3, 3)), np.ones((3, 3, 3, 3)), np.ones(3)
    with pytest.raises(ConfigError, match=r"can be read both ways; say channels='first' or channels='last'"):
        examine_convolution(X=X, W=W, b=b, forward=RIGHT.forward)
    assert examine_convolution(X=X, W=W, b=b, forward=RIGHT.forward, channels="last").names == ()


def test_their_arrays_are_left_as_they_are() -> None:
    given = arrays(first=False)
    before = {name: array.copy() for name, array in given.items()}

    def forward(X: Array, W: Array, b: Array) -> Array:
        Z = RIGHT.forward(X, W, b)
        X[...], W[...] = 0, 0
        return Z

    assert examine_convolution(**given, forward=forward, backward=RIGHT.backward).names == ()
    for name, array in before.items():
        np.testing.assert_array_equal(given[name], array)
