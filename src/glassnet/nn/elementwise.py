"""How NumPy computes a formula for single numbers: as few passes over memory as it has operations, and in place.

Called with arrays, a formula such as ``beta * m + g`` makes a new array for each of its operations, and each goes
through memory from end to end. So a formula is called once with symbols instead, which write down what is done to them.
That list is then carried out on one block of the arrays after the other: a block stays in the processor's cache until
its last operation is done, and each result is written to memory that is there already.

    adam, with theta, m and v to be overwritten, begins

        multiply(beta1, m) -> m        add(m, g) -> m        multiply(beta2, v) -> v        multiply(g, g) -> scratch
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

__all__ = ["Formula", "Program", "program"]

Formula = Callable[..., Any]

SMALL = 4096  # numbers: of a larger array, an array of equal numbers has only the last axis
SLOW_WITH_A_NUMBER = (np.maximum, np.minimum)  # these are several times as quick with an array of equal numbers


class Instruction(NamedTuple):
    """A function of NumPy's, the places of the one or two things that it is given, and that of its result."""

    ufunc: np.ufunc
    first: int
    second: int | None
    target: int


@dataclass(frozen=True)
class Program:
    """A formula as a list of instructions for memory in numbered places.

    The places are: targets, inputs, constants of the call, constants that follow from them, scratch memory, and the
    numbers that stand in the formula itself.

    Attributes:
        once: instructions for constants alone, once a call.
        each_block: instructions for blocks of the arrays.
        arrays: how many targets and inputs there are.
        constants: how many constants, those that follow from others included.
        scratch: how many blocks of memory it needs besides.
        known: the formula's own numbers.
        filled: the places of those among them that are needed as arrays.
    """

    once: tuple[Instruction, ...]
    each_block: tuple[Instruction, ...]
    arrays: int
    constants: int
    scratch: int
    known: tuple[float, ...]
    filled: tuple[int, ...]

    def resolve(self, given: Sequence[float], dtype: np.dtype[Any]) -> Sequence[Any]:
        """Return the constants of a call, and those that follow from them, in the dtype of its arrays."""
        if self.once:
            places: list[Any] = [None] * self.arrays + [*given]
            places += [*[None] * (self.constants - len(given) + self.scratch), *self.known]
            for ufunc, first, second, target in self.once:
                places[target] = ufunc(places[first]) if second is None else ufunc(places[first], places[second])
            given = places[self.arrays : self.arrays + self.constants]
        return [np.array(number, dtype) for number in given]

    def run(self, arrays: Sequence[Any], constants: Sequence[float], scratch: Sequence[Any]) -> None:
        """Carry it out on one block.

        Args:
            arrays: targets and inputs, of one shape and dtype.
            constants: as `resolve` returned them for that dtype.
            scratch: as many arrays of that shape and dtype as ``scratch`` says.
        """
        like = arrays[0]
        places = [*arrays, *constants, *scratch, *_numbers(self.known, like.dtype)]
        for place in self.filled:
            shape = like.shape[-1:] if like.size > SMALL else like.shape
            places[place] = _filled(places[place].item(), shape, like.dtype)
        for ufunc, first, second, target in self.each_block:
            if second is None:
                ufunc(places[first], out=places[target])
            else:
                ufunc(places[first], places[second], out=places[target])


@lru_cache(maxsize=256)
def _numbers(numbers: tuple[float, ...], dtype: np.dtype[Any]) -> list[Any]:
    """Return numbers as arrays without axes, which NumPy takes in half the time of Python's."""
    return [np.array(number, dtype) for number in numbers]


@lru_cache(maxsize=64)
def _filled(number: float, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    return np.full(shape, number, dtype)


@lru_cache(maxsize=256)
def program(formula: Formula, targets: int, inputs: int, constants: int, in_place: bool) -> Program:
    """Return a formula as a program.

    Args:
        formula: returns as many arrays as there are ``targets``, alone or in a tuple. It is called with the targets
            where it works ``in_place``, then with the inputs, then with the constants.
        targets: how many arrays are written to.
        inputs: how many more arrays it reads.
        constants: how many numbers.
        in_place: whether it reads the targets, too.
    """
    trace = _Trace()
    old = [_Symbol(trace, constant=False) for _ in range(targets)]
    read = [_Symbol(trace, constant=False) for _ in range(inputs)]
    given = [_Symbol(trace, constant=True) for _ in range(constants)]
    returned = formula(*(old if in_place else ()), *read, *given)
    returned = returned if isinstance(returned, tuple) else (returned,)
    results = tuple(trace.result(symbol, target) for symbol, target in zip(returned, old, strict=True))
    return _Assembler(trace.operations, old, read, given, results).result


class _Symbol(NDArrayOperatorsMixin):
    """A number that is not known yet: an operator or function of NumPy's, applied to it, is written down."""

    def __init__(self, trace: "_Trace", constant: bool) -> None:
        self.trace, self.constant = trace, constant

    __eq__, __hash__ = object.__eq__, object.__hash__  # a symbol is itself; formulas compare with < and > alone

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any) -> "_Symbol":
        constant = all(operand.constant for operand in operands if isinstance(operand, _Symbol))
        result = _Symbol(self.trace, constant)
        self.trace.operations.append(_Operation(ufunc, operands, result))
        return result


class _Operation(NamedTuple):
    ufunc: np.ufunc
    operands: tuple[Any, ...]
    result: _Symbol


class _Trace:
    """What a formula does, in order."""

    def __init__(self) -> None:
        self.operations: list[_Operation] = []

    def result(self, returned: Any, target: _Symbol) -> _Symbol:
        """Return what the formula returned; another argument, or a number, is first copied by an operation."""
        if returned is target or any(op.result is returned for op in self.operations if not op.result.constant):
            symbol: _Symbol = returned
        else:
            symbol = _Symbol(self, constant=False)
            self.operations.append(_Operation(np.positive, (returned,), symbol))
        return symbol


class _Assembler:
    """Gives each result a place: a target whose old number nobody needs any more, else scratch memory."""

    def __init__(
        self,
        operations: list[_Operation],
        old: list[_Symbol],
        read: list[_Symbol],
        given: list[_Symbol],
        results: tuple[_Symbol, ...],
    ) -> None:
        self.results = results
        once = [op for op in operations if op.result.constant]
        blocks = [op for op in operations if not op.result.constant]
        constants = [*given, *(op.result for op in once)]
        self.place = {symbol: i for i, symbol in enumerate([*old, *read, *constants])}
        self.last_use = {symbol: i for i, op in enumerate(blocks) for symbol in op.operands if type(symbol) is _Symbol}
        self.last_use |= dict.fromkeys(results, len(blocks))
        self.first_scratch, self.scratch = len(self.place), 0
        self.holds = {i: symbol for symbol, i in self.place.items() if i < len(old)}  # by place: targets, scratch
        self.known: list[float] = []
        self.filled: list[int] = []
        steps = [(op.ufunc, op.operands, self._choose(i, op)) for i, op in enumerate(blocks)]
        for target, result in enumerate(results):  # whose own place was not free in time
            if self.place[result] != target:
                steps.append((np.positive, (result,), target))
        # Only now is it known how much scratch memory lies before the formula's own numbers.
        self.result = Program(
            tuple(self._instruction(op.ufunc, op.operands, self.place[op.result]) for op in once),
            tuple(self._instruction(*step) for step in steps),
            len(old) + len(read),
            len(constants),
            self.scratch,
            tuple(self.known),
            tuple(self.filled),
        )

    def _choose(self, i: int, op: _Operation) -> int:
        """Return the place for the result of operation ``i``; a function of NumPy's may write where it reads."""
        free = [place for place, symbol in self.holds.items() if self.last_use.get(symbol, -1) <= i]
        own = next((target for target, result in enumerate(self.results) if result is op.result), None)
        if own is not None:  # what is returned stays until the end: not in the place of another result
            free = [place for place in free if place == own or place >= self.first_scratch]
        read_last = [place for place in free if self.holds[place] in op.operands]
        if own in free:
            place = own
        elif read_last or free:
            place = (read_last or free)[0]
        else:
            place = self.first_scratch + self.scratch
            self.scratch += 1
        self.holds[place], self.place[op.result] = op.result, place
        return place

    def _instruction(self, ufunc: np.ufunc, operands: tuple[Any, ...], target: int) -> Instruction:
        first, second = (*(self._find(ufunc, operand) for operand in operands), None)[:2]
        assert first is not None
        return Instruction(ufunc, first, second, target)

    def _find(self, ufunc: np.ufunc, operand: Any) -> int:
        """Return the place of an operand; a number of the formula's own gets one."""
        if isinstance(operand, _Symbol):
            return self.place[operand]
        place = self.first_scratch + self.scratch + len(self.known)
        self.known.append(operand)
        if ufunc in SLOW_WITH_A_NUMBER:
            self.filled.append(place)
        return place
