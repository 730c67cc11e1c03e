"""Rules for single numbers as compiled loops, each one pass over memory."""

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload, register_jitable

from ..nn import formulas
from .crew import shared
from .native import float_of
from .parts import own

__all__ = ["compiled_rule", "exp", "has_code", "over"]


@cache
def over(formula: Callable[..., Any], targets: int, inputs: int, dtype: np.dtype[Any]) -> Callable[..., None] | None:
    """Return a rule for single numbers as one pass over flat arrays: of what it changes, then of what it reads.

    The last argument is a tuple of constants, as numbers of the arrays' type. None is returned where NumPy does better:
    for tanh in float64, which Numba computes number by number, and for rules other than those of
    `glassnet.nn.formulas`, which are not worth the time that it takes to compile them.

    Args:
        formula: the rule.
        targets: how many arrays are changed; 0 where the first one is only written.
        inputs: how many others are read.
        dtype: of all arrays.
    """
    if not has_code(formula) or (dtype != np.float32 and _has_tanh(formula)):
        return None
    f = compiled_rule(formula, dtype)

    def write_1(part: int, parts: int, out: Any, x: Any, c: Any) -> None:
        out, x = own(part, parts, out), own(part, parts, x)
        for i in range(len(out)):
            out[i] = f(x[i], *c)

    def write_2(part: int, parts: int, out: Any, x: Any, y: Any, c: Any) -> None:
        out, x, y = own(part, parts, out), own(part, parts, x), own(part, parts, y)
        for i in range(len(out)):
            out[i] = f(x[i], y[i], *c)

    def change_1(part: int, parts: int, t: Any, c: Any) -> None:
        t = own(part, parts, t)
        for i in range(len(t)):
            t[i] = f(t[i], *c)

    def change_1_by_1(part: int, parts: int, t: Any, x: Any, c: Any) -> None:
        t, x = own(part, parts, t), own(part, parts, x)
        for i in range(len(t)):
            t[i] = f(t[i], x[i], *c)

    def change_1_by_2(part: int, parts: int, t: Any, x: Any, y: Any, c: Any) -> None:
        t, x, y = own(part, parts, t), own(part, parts, x), own(part, parts, y)
        for i in range(len(t)):
            t[i] = f(t[i], x[i], y[i], *c)

    def change_2_by_1(part: int, parts: int, t: Any, u: Any, x: Any, c: Any) -> None:
        t, u, x = own(part, parts, t), own(part, parts, u), own(part, parts, x)
        for i in range(len(t)):
            t[i], u[i] = f(t[i], u[i], x[i], *c)

    def change_3_by_1(part: int, parts: int, t: Any, u: Any, v: Any, x: Any, c: Any) -> None:
        t, u, v, x = own(part, parts, t), own(part, parts, u), own(part, parts, v), own(part, parts, x)
        for i in range(len(t)):
            t[i], u[i], v[i] = f(t[i], u[i], v[i], x[i], *c)

    loops = {
        (0, 1): write_1,
        (0, 2): write_2,
        (1, 0): change_1,
        (1, 1): change_1_by_1,
        (1, 2): change_1_by_2,
        (2, 1): change_2_by_1,
        (3, 1): change_3_by_1,
    }
    loop: Any = loops[targets, inputs]
    # Compiled code is found by this name: that of two rules must not be one.
    loop.__name__ = loop.__qualname__ = f"{formula.__name__}_{loop.__name__}"
    return shared(loop)


def has_code(formula: Callable[..., Any]) -> bool:
    """Whether a rule can be compiled: one of `glassnet.nn.formulas`, some of which are NumPy's own."""
    return getattr(formula, "__module__", None) == formulas.__name__ or formula is np.tanh


def compiled_rule(formula: Callable[..., Any], dtype: np.dtype[Any]) -> Callable[..., Any]:
    """Return a rule as compiled functions can call it, for numbers of the given type."""
    rule: Callable[..., Any]
    if formula is np.tanh:
        rule = _tanh if dtype == np.float32 else _exact_tanh
    else:
        rule = register_jitable(_with_numbers_of(formula, dtype))
    return rule


def _has_tanh(formula: Callable[..., Any]) -> bool:
    return formula is np.tanh or "tanh" in formula.__code__.co_names


@njit(error_model="numpy")
def _tanh(x: Any) -> Any:
    """Return tanh(x) in float32, to some units in the last place.

    It is a quotient of two polynomials, which takes many numbers at a time. Their coefficients are those of Eigen's
    ``ptanh_float``, fitted to tanh where float32 can tell it from 1.
    """
    f = np.float32
    x = f(7.90531110763549805) if x > f(7.90531110763549805) else x  # NaN stays
    x = f(-7.90531110763549805) if x < f(-7.90531110763549805) else x
    s = x * x
    p = s * f(-2.76076847742355e-16) + f(2.00018790482477e-13)
    p = s * p + f(-8.60467152213735e-11)
    p = s * p + f(5.12229709037114e-08)
    p = s * p + f(1.48572235717979e-05)
    p = s * p + f(6.37261928875436e-04)
    p = s * p + f(4.89352455891786e-03)
    q = s * f(1.19825839466702e-06) + f(1.18534705686654e-04)
    q = s * q + f(2.26843463243900e-03)
    q = s * q + f(4.89352518554385e-03)
    return x * p / q


@njit(error_model="numpy")
def _exact_tanh(x: Any) -> Any:
    return np.tanh(x)


def exp(x: Any) -> Any:
    """Return eˣ for x ≤ 0; in float32 by a polynomial, which takes many numbers at a time, and 0 below −87.3.

    eˣ = 2ⁿ eʳ with n = ⌊x / ln 2 + ½⌋ and |r| ≤ ½ ln 2. The coefficients are those of Cephes' ``expf`` (Moshier, 1989).
    """
    raise NotImplementedError("it is there for compiled code")


@overload(exp, inline="always")
def _exp(x: Any) -> Callable[[Any], Any]:
    f = np.float32
    least = f(-87.3365447505531)

    def short(x: Any) -> Any:
        s = x if x > least else least  # for NaN, too, of which there is no n
        n = np.floor(s * f(1.44269504088896341) + f(0.5))
        r = s - n * f(0.693359375) - n * f(-2.12194440e-4)
        p = r * f(1.9875691500e-4) + f(1.3981999507e-3)
        p = p * r + f(8.3334519073e-3)
        p = p * r + f(4.1665795894e-2)
        p = p * r + f(1.6666665459e-1)
        p = p * r + f(5.0000001201e-1)
        y = (p * r * r + r + f(1)) * float_of((np.int32(n) + np.int32(127)) << np.int32(23))
        y = f(0) if x < least else y
        return y if x == x else x

    def exact(x: Any) -> Any:
        return np.exp(x)

    return short if x == types.float32 else exact


def _with_numbers_of(formula: Callable[..., Any], dtype: np.dtype[Any]) -> Callable[..., Any]:
    """Return a formula whose own numbers are of the arrays' type: in Numba 1 + x has the type of the wider one."""
    assert isinstance(formula, FunctionType)
    code, number = formula.__code__, dtype.type

    def typed(value: Any) -> Any:
        return number(value) if type(value) in (int, float) else value

    names = {name: typed(formula.__globals__[name]) for name in code.co_names if name in formula.__globals__}
    if number is np.float32 and "tanh" in names:
        names["tanh"] = _tanh
    names["__name__"] = formula.__module__
    return FunctionType(code.replace(co_consts=tuple(map(typed, code.co_consts))), names, formula.__name__)
