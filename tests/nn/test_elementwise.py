"""Formulas as instructions for memory in places: whatever a formula does, the numbers are those of calling it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy import absolute, maximum, minimum, sqrt, tanh

from glassnet.nn.elementwise import program

STEPS = {
    "a + b": lambda a, b: a + b,
    "a - b": lambda a, b: a - b,
    "a · b": lambda a, b: a * b,
    "a / (1 + |b|)": lambda a, b: a / (1 + absolute(b)),
    "a (a > b)": lambda a, b: a * (a > b),
    "b (a ≤ 0.5)": lambda a, b: b * (a <= 0.5),
    "−a": lambda a, b: -a,
    "2 a − 1": lambda a, b: 2 * a - 1,
    "max(a, b)": maximum,
    "max(a, 0)": lambda a, b: maximum(a, 0),
    "min(0.5, b)": lambda a, b: minimum(0.5, b),
    "√|a|": lambda a, b: sqrt(absolute(a)),
    "tanh a": lambda a, b: tanh(a),
}


@st.composite
def formulas(draw):
    """A formula of random steps, each from any two of what there is by then, and the numbers of its arguments.

    It returns any of its steps and arguments, some of them twice, in any order.
    """
    targets, inputs, constants = draw(st.integers(1, 3)), draw(st.integers(0, 3)), draw(st.integers(0, 3))
    in_place = draw(st.booleans()) or not inputs
    arguments = targets * in_place + inputs + constants
    steps = []
    for count in range(arguments, arguments + draw(st.integers(0, 12))):
        known = st.integers(0, count - 1)
        steps.append((draw(st.sampled_from(list(STEPS))), draw(known), draw(known)))
    returned = [draw(st.integers(0, arguments + len(steps) - 1)) for _ in range(targets)]
    return written_out(steps, returned), (targets, inputs, constants, in_place)


def written_out(steps, returned):
    def formula(*arguments):
        values = list(arguments)
        for name, a, b in steps:
            values.append(STEPS[name](values[a], values[b]))
        return tuple(values[i] for i in returned)

    formula.__name__ = formula.__qualname__ = f"{steps} -> {returned}"
    return formula


def assert_same_as_called(engine, formula, targets, inputs, constants, in_place):
    rng = np.random.default_rng(0)
    old, read = list(rng.normal(size=(targets, 7))), list(rng.normal(size=(inputs, 7)))
    numbers = rng.normal(size=constants).tolist()
    untouched = [array.copy() for array in read]
    expected = formula(*(old if in_place else ()), *read, *numbers)
    expected = [np.broadcast_to(x, 7).copy() for x in (expected if isinstance(expected, tuple) else (expected,))]
    if in_place:
        engine.update(formula, old, read, numbers)
    elif targets == 1:
        assert engine.apply(formula, read, numbers, out=old[0]) is old[0]
    else:  # for which there is no operation yet
        work = program(formula, targets, inputs, constants, False)
        work.run([*old, *read], work.resolve(numbers, old[0].dtype), np.empty((work.scratch, 7)))
    for found, right in zip(old, expected, strict=True):
        np.testing.assert_array_equal(found, right)
    for array, before in zip(read, untouched, strict=True):
        np.testing.assert_array_equal(array, before)


@settings(max_examples=600, derandomize=True, deadline=None)
@given(formulas())
def test_a_random_formula_gives_what_calling_it_gives(engine, drawn):
    formula, counts = drawn
    assert_same_as_called(engine, formula, *counts)


HARD = {
    "targets swapped": (lambda a, b: (b, a), 2, 0, 0),
    "targets turned round": (lambda a, b, c: (b, c, a), 3, 0, 0),
    "each computed from the other": (lambda a, b: (b + 1, a + 2), 2, 0, 0),
    "computed late, the other one first": (lambda a, b: (tanh(b), tanh(a)), 2, 0, 0),
    "a result used later": (lambda a, b, g: (m := 0.9 * a + g, b - m * m), 2, 1, 0),
    "a target read after another was written": (lambda a, b, g: (a - g, a * b), 2, 1, 0),
    "a target read last of all": (lambda a, b, g: (t := g * g, t + a * b), 2, 1, 0),
    "a result that is an input": (lambda a, b, g: (g, a + b), 2, 1, 0),
    "a result that is a constant": (lambda a, c: c, 1, 0, 1),
    "a result that follows from constants": (lambda a, c, d: sqrt(absolute(c - d)) * 2, 1, 0, 2),
    "a result that is a number": (lambda a: 0.5, 1, 0, 0),
    "one result twice": (lambda a, b: (s := a + b, s), 2, 0, 0),
    "one result twice, the other way round": (lambda a, b, c: (a + b + c, b, b), 3, 0, 0),
    "nothing changes": (lambda a, b: (a, b), 2, 0, 0),
    "both operands the same": (lambda a: a * a, 1, 0, 0),
    "arithmetic of constants alone": (lambda a, c, d: a * ((1 - c) / (1 - d)), 1, 0, 2),
    "the larger of an array and a number": (lambda a: maximum(a, 0), 1, 0, 0),
    "the larger of a number and an array": (lambda a: maximum(0.25, a), 1, 0, 0),
    "the larger of an array and a constant": (maximum, 1, 0, 1),
    "the larger of constants": (lambda a, c: a * maximum(c, 0.5), 1, 0, 1),
    "a step that nobody needs": (lambda a, g: (g * g, a + g)[1], 1, 1, 0),
}


@pytest.mark.parametrize(("formula", "targets", "inputs", "constants"), HARD.values(), ids=HARD)
def test_hard_formulas_give_what_calling_them_gives(engine, formula, targets, inputs, constants):
    assert_same_as_called(engine, formula, targets, inputs, constants, in_place=True)


def test_a_formula_becomes_as_few_instructions_as_it_has_operations_and_works_in_its_targets():
    work = program(lambda theta, m, g, eta, beta: (theta - eta * (m := beta * m + g), m), 2, 1, 2, True)
    assert [step.ufunc for step in work.each_block] == [np.multiply, np.add, np.multiply, np.subtract]
    assert work.scratch == 1  # η m: θ and m are both needed still
    assert not work.once


def test_arithmetic_of_constants_is_done_once_and_not_for_each_block():
    work = program(lambda s, g, rho: rho * s + (1 - rho) * (g * g), 1, 1, 1, True)
    assert [step.ufunc for step in work.once] == [np.subtract]
    assert work.resolve([0.75], np.dtype(np.float64)) == [0.75, 0.25]
    assert len(work.each_block) == 4
