"""What a network is computed with: the operations that layers, losses and optimizers are written in, here in NumPy.

Layers say what they compute in these operations and never how. This engine is the reference: another one has the same
operations, equal to rounding. All arrays are rows by columns, one example a row.

Rules for single numbers come from `formulas`; an engine is only told which one to apply.
"""

from collections.abc import Callable, Sequence
from math import ceil, inf, isnan, prod, sqrt
from threading import local
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import convolving, windows
from .distortion import affine_places, blocks_of, elastic_field, interpolate, see_in_perspective
from .elementwise import Formula, Program, program
from .products import SomeColumns, product, sum_of_rows, transposed_product
from .team import Team
from .types import Array, Shape
from .windows import Window

if TYPE_CHECKING:
    from .chain import Chain, ChainSteps  # which knows layers, and these the engine

__all__ = ["NUMPY", "CrossEntropy", "Engine"]

BLOCK = 65_536  # numbers: in float32 five arrays of this length take 1.25 MiB, about what a core's own cache holds
FEW = 200_000  # numbers: with fewer a second thread costs more than it brings


class CrossEntropy(NamedTuple):
    """What `Engine.cross_entropy` finds.

    Attributes:
        losses: of each example, unweighted, (n,).
        right: whether the true class has the largest logit, the first of them where several are largest, (n,).
        gradient: ∂L/∂Z (n, k).
    """

    losses: Array
    right: NDArray[np.bool_]
    gradient: Array


class _Memory(local):
    """Working memory by name and dtype, of each thread by itself."""

    def __init__(self) -> None:
        self.arrays: dict[tuple[str, Any], Any] = {}


class Engine:
    """NumPy, with as many threads as it is given for what can be shared out.

    It may be used by several threads at once, each of which has working memory of its own.

    Args:
        threads: how many, the one that asks included.
        products: how many threads the BLAS gives a product while steps are computed (`glassnet.engines.computing`);
            None leaves that to the BLAS.
    """

    name = "numpy"
    emulated = False  # whether the processor computes its products in another precision than it is asked for
    block, few = BLOCK, FEW

    def __init__(self, threads: int = 1, products: int | None = None) -> None:
        self.threads, self.products = threads, products
        self._team, self._memory = Team(threads), _Memory()

    def __reduce__(self) -> tuple[type["Engine"], tuple[int, int | None]]:
        """Be pickled as what it was made of: threads and memory belong to one process."""
        return type(self), (self.threads, self.products)

    def __deepcopy__(self, memo: object) -> "Engine":
        """Copies of a network may compute with the same engine."""
        return self

    def share_out(self, work: Callable[[int, int], None], parts: int) -> None:
        """Call ``work(member, part)`` once for each part, 0 … parts − 1, in whichever thread is idle.

        ``member`` is that thread, from 0 to threads − 1, and does one thing at a time.
        """
        self._team.share_out(work, parts)

    def rest(self) -> None:
        """Let go of what is only worth keeping while steps are computed; the next work begins it anew."""

    def scratch(self, name: str, shape: Shape, dtype: DTypeLike = np.float32) -> Any:
        """Return memory for a moment, with anything in it: the same at the next call of this thread for this name."""
        kept = self._memory.arrays
        memory = kept.get((name, dtype))
        if memory is not None and memory.shape == shape:
            return memory
        size = prod(shape)
        if memory is None or memory.size < size:
            memory = kept[name, dtype] = np.empty(shape, dtype)
            return memory
        return memory.reshape(-1)[:size].reshape(shape)

    def empty(self, shape: Shape, dtype: DTypeLike) -> Any:
        """Return an array with anything in it."""
        return np.empty(shape, dtype)

    def zeros(self, shape: Shape, dtype: DTypeLike) -> Any:
        """Return an array of zeros."""
        return np.zeros(shape, dtype)

    def numbers(self, X: Any, dtype: DTypeLike) -> Any:
        """Return examples as an array of this engine's, in another type where they have one."""
        return X if isinstance(X, SomeColumns) else np.asarray(X, dtype)

    # Number by number

    def apply(self, formula: Formula, inputs: Sequence[Array], constants: Sequence[float], out: Array) -> Array:
        """``out`` ← ``formula(*inputs, *constants)``, number by number.

        Args:
            formula: one of `formulas`.
            inputs: arrays of one shape.
            constants: numbers.
            out: an array of that shape, none of the inputs.
        """
        work = program(formula, 1, len(inputs), len(constants), False)
        self._run(work, (out, *inputs), constants)
        return out

    def update(
        self, formula: Formula, targets: Sequence[Array], inputs: Sequence[Array], constants: Sequence[float] = ()
    ) -> None:
        """``targets`` ← ``formula(*targets, *inputs, *constants)``, number by number; arrays of one shape."""
        work = program(formula, len(targets), len(inputs), len(constants), True)
        self._run(work, (*targets, *inputs), constants)

    def _run(self, work: Program, arrays: Sequence[Array], constants: Sequence[float]) -> None:
        """Carry out a program block by block; large arrays are shared out among the threads."""
        target = arrays[0]
        values = work.resolve(constants, target.dtype) if constants else ()
        if target.size <= self.block:
            work.run(arrays, values, self._scratch(work.scratch, target) if work.scratch else ())
            return
        rows = max(self.block * len(target) // target.size, 1)  # of a block

        def compute(_: int, number: int) -> None:
            parts = [x[number * rows : (number + 1) * rows] for x in arrays]
            work.run(parts, values, self._scratch(work.scratch, parts[0]) if work.scratch else ())

        blocks = ceil(len(target) / rows)
        if target.size < self.few or self.threads == 1:
            for number in range(blocks):
                compute(0, number)
        else:
            self.share_out(compute, blocks)

    def _scratch(self, count: int, like: Array) -> Any:
        """Return so many arrays, each as long as ``like``."""
        return self.scratch("elementwise", (count, *like.shape), like.dtype)

    def half(self, X: Array, out: NDArray[np.float16]) -> NDArray[np.float16]:
        """X (n,) in float16, rounded to the nearest and of two equally near to the even one, into ``out`` (n,).

        What is too large becomes infinite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            np.copyto(out, X, casting="same_kind")
        return out

    # Products and sums

    def affine(self, X: Array | SomeColumns, W: Array, b: Array, out: Array) -> Array:
        """Z = X W + b for X (n, d), W (d, k), b (k,), into ``out`` (n, k)."""
        if isinstance(X, SomeColumns):
            W, b = X.scaled(W, b)
            if len(W):
                return self.affine(X.P, W, b, out)
            out[...] = b  # of blank images alone, of which a BLAS wants to know nothing
            return out
        product(X, W, out)
        out += b
        return out

    def affine_gradients(self, X: Array | SomeColumns, dZ: Array, dW: Array, db: Array) -> None:
        """dW = Xᵀ dZ and db = Σₙ dZ for X (n, d) and dZ (n, k), into ``dW`` (d, k) and ``db`` (k,)."""
        if isinstance(X, SomeColumns):
            some = self.scratch("some of dW", (len(X.columns), dZ.shape[1]), dW.dtype)
            if len(some):
                self.affine_gradients(X.P, dZ, some, db)
            else:
                sum_of_rows(dZ, db)
            X.spread(some, db, dW)
        else:
            sum_of_rows(dZ, db)
            transposed_product(X, dZ, dW, self.scratch)

    def affine_input_gradient(self, dZ: Array, W: Array, out: Array) -> Array:
        """dX = dZ Wᵀ for dZ (n, k) and W (d, k), into ``out`` (n, d)."""
        return np.dot(dZ, W.T, out=out)

    def column_sums(self, X: Array, out: Array) -> Array:
        """Σₙ X of each column of X (n, d), into ``out`` (d,)."""
        return sum_of_rows(X, out)

    def column_products(self, A: Array, B: Array, out: Array) -> Array:
        """Σₙ A B of each column of A and B (n, d), into ``out`` (d,)."""
        result: Array = np.einsum("nd,nd->d", A, B, out=out)
        return result

    def norm(self, x: Array) -> float:
        """‖x‖, the square root of the sum of the squares of all numbers."""
        length = sqrt(float(np.vdot(x, x)))
        if length == inf:  # in float32 the square of 1e19 is too large, though 1e19 is not
            length = float(np.linalg.norm(x.astype(np.float64)))
        return length

    def chain_steps(self, chain: "Chain", parameters: Array, gradients: Array) -> "ChainSteps | None":
        """Return what takes steps on single examples through a chain, or None, as here: then it is done layer by layer.

        Args:
            chain: its affine maps and activation.
            parameters: W (d, k) and b (k,) of each affine map but the first, flat.
            gradients: of the parameters, alike.
        """
        return None

    # Normalisation

    def centred(self, X: Array, mean: Array, out: Array) -> Array:
        """X − μ for X (n, d) and μ (d,), into ``out`` (n, d)."""
        return np.subtract(X, mean, out=out)

    def scale_shift(self, X: Array, scale: Array, shift: Array, out: Array) -> Array:
        """X · scale + shift for X (n, d), scale and shift (d,), into ``out`` (n, d)."""
        np.multiply(X, scale, out=out)
        out += shift
        return out

    def normalisation_gradient(self, dY: Array, C: Array, shift: Array, slope: Array, scale: Array) -> Array:
        """(dY − shift − C · slope) · scale for dY and C (n, d), all others (d,), in place of ``dY``."""
        dY -= shift
        dY -= np.multiply(C, slope, out=self.scratch("normalisation", dY.shape, dY.dtype))
        dY *= scale
        return dY

    # Dropout and loss

    def dropout_mask(self, rate: float, key: Sequence[int], rows: slice, out: Array) -> Array:
        """Draw 0 with probability p = ``rate``, else 1 / (1 − p), into ``out`` (n, …), one for each number.

        The numbers follow from ``key`` alone.

        Args:
            rate: p.
            key: whole numbers.
            rows: what is drawn are these rows of ``out``, which lie in a larger whole where others draw the rest.
            out: the whole; its other rows may be anything.
        """
        np.random.default_rng(key).random(out=out, dtype=out.dtype)  # uniform in [0, 1)
        mask = out[rows]
        np.greater_equal(mask, rate, out=mask)  # 1 with probability 1 − p
        mask *= 1 / (1 - rate)
        return mask

    def cross_entropy(self, Z: Array, labels: NDArray[Any], smoothing: float, weights: Array | float) -> CrossEntropy:
        """Cross-entropy of softmax(Z) and the labels, which are right, and the gradient, all in one.

            ℓ = −Σ t log p        p = softmax(z)        t = (1 − ε) onehot(y) + ε/k        dZ = w (p − t)

        Args:
            Z: logits (n, k).
            labels: y (n,), whole numbers from 0 to k − 1.
            smoothing: ε.
            weights: w, of each example in the batch's loss: (n,), or one for all.
        """
        n, k = Z.shape
        # Classes along the first axis: NumPy reduces n columns of k many times quicker than n rows of k.
        E = np.array(Z.T, order="C")  # (k, n)
        # Where in E, laid out flat, z of the true class stands.
        own = labels.astype(np.intp, copy=False)
        if n > 1:
            own = own * n + np.arange(n)
        E -= np.maximum.reduce(E)
        z_own, largest = E.take(own), np.count_nonzero(E == 0)
        losses = -z_own
        if smoothing:
            losses = (smoothing - 1) * z_own - smoothing / k * np.add.reduce(E)
        np.exp(E, out=E)
        sums = np.add.reduce(E)  # (n,)
        losses += np.log(sums)
        # Argmax takes longer than all the rest, and is needed only where several are largest or some are NaN.
        alone = largest == n and (n == 1 or not isnan(np.add.reduce(sums)))
        right = z_own == 0 if alone else Z.argmax(axis=1) == labels
        w = weights if isinstance(weights, float) else weights.astype(E.dtype)
        E *= w / sums  # w p
        if smoothing:
            E -= smoothing / k * w
        E.put(own, E.take(own) - (1 - smoothing) * w)
        return CrossEntropy(losses, right, E.T)

    # Images

    def inputs(
        self, images: NDArray[np.uint8], rows: NDArray[np.integer] | None, scale: float, shift: float, out: Array
    ) -> Array:
        """Pixels · scale + shift for some of ``images`` (m, …) uint8, into ``out`` (n, …).

        Args:
            images: the pixels.
            rows: which images, (n,); None for all of them.
            scale: a number.
            shift: a number.
            out: float32 or float64.
        """
        if rows is not None:
            chosen = self.scratch("inputs", (len(rows), *images.shape[1:]), np.uint8)
            images = np.take(images, rows, axis=0, out=chosen, mode="clip")  # "clip": NumPy writes straight to out
        np.copyto(out, images.reshape(out.shape))  # and then in place, which is quicker than to convert on the way
        if scale != 1:
            out *= out.dtype.type(scale)
        if shift:
            out += out.dtype.type(shift)
        return out

    def distort(
        self,
        images: NDArray[Any],
        matrices: Array,
        shifts: Array,
        perspective: Array | None,
        elastic: tuple[NDArray[np.int16], Array, Array] | None,
        ground: float,
        out: NDArray[Any],
        wanted: slice | None = None,
    ) -> None:
        """See each of ``images`` (n, h, w) through a distortion of its own, into ``out`` (n, h, w).

        Args:
            images: of any type.
            matrices: A⁻¹ (2, 2, n), see `glassnet.nn.distortion`.
            shifts: s (2, n), pixels down and across.
            perspective: g (2, n), 1/pixels down and across; None for none.
            elastic: noise (2, n, a, b), and what turns it into a smooth field, along columns (h, a) and rows (w, b);
                None for none.
            ground: the gray value outside of the images.
            out: rounded where it holds whole numbers.
            wanted: the images that somebody looks at, a range, None for all; of the others anything may come out.
        """
        blocks = list(blocks_of(images.shape, wanted).values())

        def distort_block(_: int, number: int) -> None:
            some = blocks[number]
            shape = images.shape[1], images.shape[2]
            places = affine_places(matrices[:, :, some], shifts[:, some], shape, self.scratch)
            if perspective is not None:
                see_in_perspective(places, perspective[:, some])
            if elastic is not None:
                noise, down, across = elastic
                places += elastic_field(noise[:, some], down, across, self.scratch)
            interpolate(images[some], places, ground, out[some], self.scratch)

        self.share_out(distort_block, len(blocks))

    # Windows that move over images (n, h, w, c), see `glassnet.nn.windows`

    def convolve(self, X: Array, W: Array, b: Array, window: Window, out: Array) -> Array:
        """Z = patches(X) W + b for X (n, h, w, c), W (kh, kw, c, filters), b (filters,), into ``out``."""
        return convolving.convolve(self, X, W, b, window, out)

    def convolution_gradients(self, X: Array, dZ: Array, window: Window, dW: Array, db: Array) -> None:
        """dW = patches(X)ᵀ dZ and db = Σ dZ, over examples and places, into ``dW`` and ``db``."""
        convolving.convolution_gradients(self, X, dZ, window, dW, db)

    def convolution_input_gradient(self, dZ: Array, W: Array, window: Window, out: Array) -> Array:
        """dX = add_patches(dZ Wᵀ), into ``out`` (n, h, w, c)."""
        return convolving.convolution_input_gradient(self, dZ, W, window, out)

    def patches(self, X: Array, window: Window) -> Array:
        """Return what lies under a window at each place, (n·oh·ow, kh·kw·c), until the next call of this thread."""
        return windows.patches(X, window, self.scratch)

    def add_patches(self, P: Array, window: Window, out: Array) -> Array:
        """Add each row of P (n·oh·ow, kh·kw·c) up where its patch lies, into ``out`` (n, h, w, c)."""
        return windows.add_patches(P, window, out, self.scratch)

    def max_pool(self, X: Array, window: Window, out: Array) -> Array:
        """Write the largest number under the window, by channel, into ``out`` (n, oh, ow, c)."""

        def work(images: slice) -> None:
            windows.max_pool(X[images], window, out[images])

        return self._by_images(work, X, out)

    def max_pool_gradient(self, X: Array, Y: Array, dY: Array, window: Window, out: Array) -> Array:
        """Hand dY (n, oh, ow, c) to where the largest number Y of X lay, the first where several are, into ``out``."""

        def work(images: slice) -> None:
            windows.max_pool_gradient(X[images], Y[images], dY[images], window, out[images], self.scratch)

        return self._by_images(work, X, out)

    def average_pool(self, X: Array, window: Window, out: Array) -> Array:
        """Write the mean of the numbers under the window, by channel, into ``out`` (n, oh, ow, c)."""

        def work(images: slice) -> None:
            windows.average_pool(X[images], window, out[images])

        return self._by_images(work, X, out)

    def average_pool_gradient(self, dY: Array, window: Window, out: Array) -> Array:
        """Hand dY / (kh kw) to each place under the window, into ``out`` (n, h, w, c)."""

        def work(images: slice) -> None:
            windows.average_pool_gradient(dY[images], window, out[images], self.scratch)

        return self._by_images(work, out, out)

    def _by_images(self, work: Callable[[slice], None], X: Array, out: Array) -> Array:
        """Do what fills ``out`` for a few of the images X at a time."""
        convolving.share_out(self, len(X), prod(X.shape[1:]), work)
        return out


NUMPY = Engine()
"""The engine of a network that is given none."""
