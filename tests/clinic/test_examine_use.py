"""What a person reads: the page that is printed, and one clear line where the doctor cannot begin."""

from typing import Any

import numpy as np
import pytest
from somebodys_network import SomebodysNetwork

from glassnet.clinic import Diagnosis, examine
from glassnet.clinic.doctor.diagnosis import KNOWN
from glassnet.errors import ConfigError, DataError, GlassnetError


def test_a_healthy_network_reads_nothing_found_and_what_was_checked() -> None:
    network = SomebodysNetwork()
    diagnosis = examine(**network.functions())
    page = str(diagnosis)
    assert page.startswith("nothing found\n")
    assert all(name in page for name in KNOWN)
    assert "not checked" not in page
    assert not diagnosis
    assert len(diagnosis) == 0


def test_a_page_has_name_what_evidence_and_cure_within_80_columns() -> None:
    diagnosis = examine(**SomebodysNetwork(["one-bias-gradient", "unscaled-pixels"]).functions())
    page = str(diagnosis)
    assert max(map(len, page.splitlines())) <= 80
    assert page.index("unscaled-pixels\n  what: ") < page.index("one-bias-gradient\n  what: ")
    assert page.count("  evidence: ") == page.count("  cure:     ") == len(diagnosis) == 2
    assert [finding.name for finding in diagnosis] == ["unscaled-pixels", "one-bias-gradient"]
    assert diagnosis


def test_what_was_not_checked_says_why() -> None:
    network = SomebodysNetwork()
    arrays = network.arrays()
    del arrays["held_out"]
    diagnosis = examine(**arrays)
    assert "not checked: narrow-one-hot: backward was not given" in str(diagnosis)
    assert diagnosis.unchecked["test-images-in-training"] == "held_out was not given"
    assert set(diagnosis.checked) | set(diagnosis.unchecked) == set(KNOWN)
    assert set(diagnosis.checked).isdisjoint(diagnosis.unchecked)


def test_nothing_that_was_given_is_changed() -> None:
    network = SomebodysNetwork()
    before = [np.copy(a) for a in (*network.parameters, network.X, network.y)]

    def forward(p: Any, X: Any) -> Any:
        P = network.forward(p, X)
        for array in (*p, X):
            array[...] = 0
        return P

    assert not examine(**network.data(), forward=forward, backward=network.backward)
    for array, copy in zip((*network.parameters, network.X, network.y), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_functions_get_the_shapes_and_types_that_were_given() -> None:
    network = SomebodysNetwork(columns=True, dtype=np.float32, one_hot=True)

    def backward(p: Any, X: Any, y: Any) -> Any:
        for theirs, given in zip([*p, X, y], [*network.parameters, network.X, network.y], strict=True):
            assert (theirs.shape, theirs.dtype) == (given.shape, given.dtype)
        return network.backward(p, X, y)

    assert not examine(**network.data(), backward=backward)


def ask(**changes: Any) -> Diagnosis:
    network = SomebodysNetwork(columns=False)
    return examine(**network.functions() | changes)


def parameters(i: int, array: Any) -> list[Any]:
    changed: list[Any] = list(SomebodysNetwork(columns=False).parameters)
    changed[i] = array
    return changed


def fails(*_: Any) -> Any:
    raise KeyError("W1")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"forward": None, "backward": None}, ConfigError, "nothing to examine: give forward and backward"),
        ({"probabilities": np.ones((300, 10))}, ConfigError, "give forward or probabilities, not both"),
        ({"gradients": []}, ConfigError, "give backward or gradients, not both"),
        ({"backward": None, "gradients": [1, 2]}, DataError, "you gave 2 arrays; one for each of the 4 parameters"),
        ({"activation": "rellu"}, ConfigError, "unknown activation 'rellu' (did you mean 'relu'?)"),
        ({"activation": "tanh"}, ConfigError, "pass activation='relu'"),
        ({"examples_in": "row"}, ConfigError, "examples_in is 'rows' or 'columns', not 'row'"),
        ({"held_out": np.ones((3, 64))}, ConfigError, "held_out is a pair"),
        ({"held_out": (np.ones((3, 65)), [1, 2, 3])}, DataError, "shape (3, 65), which does not go with X (300, 64)"),
        ({"held_out": (np.ones((3, 64)), [1, 2])}, DataError, "shape (2,) for 3 images"),
        ({"held_out": (np.ones((3, 64)), [1, 2, 10])}, DataError, "held_out y[2] is 10"),
        ({"held_out": (np.full((3, 64), np.nan), [1, 2, 3])}, DataError, "held_out holds 192 numbers that are NaN"),
        ({"X": np.ones((0, 64)), "y": []}, DataError, "X has shape (0, 64): it holds no examples"),
        ({"X": np.ones((300, 8, 8))}, DataError, "lay each image out as one row"),
        ({"X": np.ones((300, 65))}, DataError, "W1 (64, 16) takes 64 numbers, but X (300, 65) gives 65"),
        ({"X": np.full((300, 64), np.inf)}, DataError, "X holds 19200 numbers that are NaN or infinite"),
        ({"X": [[1, 2], [3]]}, DataError, "X is not one array of numbers"),
        ({"y": ["a"] * 300}, DataError, "not numbers"),
        ({"y": np.arange(299) % 10}, DataError, "y (299,) does not have one label for each of the 300 examples"),
        ({"y": np.arange(300) % 11}, DataError, "y[10] is 10; labels are whole numbers from 0 to 9"),
        ({"y": np.full(300, 0.5)}, DataError, "y[0] is 0.5"),
        ({"y": np.full((300, 10), 0.1)}, DataError, "is not one-hot"),
        ({"parameters": [np.ones((64, 1)), np.zeros(1)], "y": np.zeros(300)}, DataError, "the last layer has one unit"),
        ({"parameters": []}, DataError, "an even number of arrays, not 0"),
        ({"parameters": parameters(0, np.ones(64))}, DataError, "W1 (parameter 1) is a matrix"),
        ({"parameters": parameters(2, np.ones((17, 10)))}, DataError, "W2 (17, 10) takes 17 numbers, but W1 (64, 16)"),
        ({"parameters": parameters(1, np.ones(15))}, DataError, "b1 (15,) does not have one number for each of the 16"),
        ({"parameters": parameters(3, np.full(10, np.nan))}, DataError, "parameter 4 holds 10 numbers that are NaN"),
        ({"forward": fails}, DataError, "forward(parameters, X) raised KeyError: 'W1'"),
        ({"backward": fails}, DataError, "backward(parameters, X, y) raised KeyError: 'W1'"),
        ({"forward": lambda p, X: X}, DataError, "probabilities of shape (300, 64); with these X and parameters it is"),
        ({"forward": lambda p, X: (X, X, X)}, DataError, "forward returned 3 arrays; the probabilities alone"),
        (
            {"backward": lambda p, X, y: p[:3]},
            DataError,
            "backward returned 3 arrays; one for each of the 4 parameters",
        ),
        (
            {"backward": lambda p, X, y: p[::-1]},
            DataError,
            "a gradient of shape (10,) for W1, which has shape (64, 16)",
        ),
        ({"backward": lambda p, X, y: None}, DataError, "backward returned 1 arrays"),
        ({"forward": lambda p, X: np.full((300, 10), 0.1)}, ConfigError, "forward returns the same whatever"),
        ({"backward": lambda p, X, y: [np.ones_like(a) for a in p]}, ConfigError, "backward returns the same whatever"),
    ],
)
def test_wrong_use_gets_one_line(changes: dict[str, Any], error: type[GlassnetError], words: str) -> None:
    with pytest.raises(error) as caught:
        ask(**changes)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_shapes_that_can_be_read_both_ways_are_asked_about() -> None:
    rng = np.random.default_rng(0)
    X, W, y = rng.random((10, 10)), rng.standard_normal((10, 10)) / 3, np.arange(10)
    E = np.exp(X @ W)
    given: dict[str, Any] = {"parameters": [W, np.zeros(10)], "X": X, "y": y, "probabilities": E / E.sum(1)[:, None]}
    with pytest.raises(ConfigError, match="say examples_in='rows' or examples_in='columns'"):
        examine(**given)
    assert not examine(**given, examples_in="rows")
    assert examine(**given, examples_in="columns")


def test_filters_of_a_convolution_are_named_as_what_they_are() -> None:
    network = SomebodysNetwork()
    arrays = network.arrays()
    arrays["parameters"] = [np.zeros((3, 3, 1, 8)), np.zeros(8), *arrays["parameters"]]
    with pytest.raises(
        DataError,
        match=r"W1 \(parameter 1\) of shape \(3, 3, 1, 8\) are filters of a convolution, which is for examine_con",
    ):
        examine(**arrays)
