"""Trained networks with all that it takes to use them: how pictures become inputs, and what the outputs are called."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from .data import Preprocessing, as_images, as_pixels, read_picture
from .doubt import Doubt
from .engines import why_not_compiled
from .errors import ConfigError, DataError
from .model_file import MAX_MEMBERS, ModelParts, model_metadata, read_model, write_model
from .nn import AveragePool2D, MaxPool2D, Network, Pass, softmax
from .nn.types import Array
from .notebook import card, pictures, signed
from .reader import Reading, read_grid, read_lines

if TYPE_CHECKING:
    from .engines.rows import Rows

__all__ = ["Model"]

MAX_SHIFT = 3  # pixels
MAX_CELLS = 10_000
UNITS_SHOWN = 10  # of the first layer, in a notebook
BLOCK = 512  # images at a time, at most: their activations stay in the processor's cache


class Model:
    """A network that recognises pictures, or an ensemble of networks. Many threads may ask it at once.

    The probabilities of an ensemble are the means of its members' (Lakshminarayanan, Pritzel and Blundell, Simple and
    Scalable Predictive Uncertainty Estimation using Deep Ensembles, 2017).

    Args:
        networks: one, or up to 100 of the same layers. Each maps prepared images to logits (n, k).
        preprocessing: how images become its inputs.
        classes: the name of each of the k classes.
        trained_on: the data set's source, as `glassnet.load_dataset` takes it.
        fingerprint: of that data set.
        seen: the sources of what the models had learned before that its training started from.
        doubts: what tells images of the classes from others, calibrated for the first network; None if nothing does.

    Raises:
        DataError: no networks, more than 100, or networks of different layers.
    """

    def __init__(
        self,
        networks: Network | Sequence[Network],
        preprocessing: Preprocessing,
        classes: tuple[str, ...],
        trained_on: str = "",
        fingerprint: str = "",
        seen: Sequence[str] = (),
        doubts: Doubt | None = None,
    ) -> None:
        self.networks = (networks,) if isinstance(networks, Network) else tuple(networks)
        if not 1 <= len(self.networks) <= MAX_MEMBERS:
            raise DataError(f"a model of {len(self.networks)} networks: give from 1 to {MAX_MEMBERS}")
        if any(_form(network) != _form(self.network) for network in self.networks[1:]):
            raise DataError("the networks of an ensemble must have the same layers and dtype; these differ")
        self.preprocessing, self.classes = preprocessing, classes
        self.trained_on, self.fingerprint, self.seen, self.doubts = trained_on, fingerprint, tuple(seen), doubts
        self._block = self.network.at_a_time(BLOCK)
        self._idle: deque[Pass] = deque()  # those that no thread is using now
        self._rows: Rows | None = None  # compiled code that answers

    def compile(self) -> Self:
        """Answer by compiled code from now on: one image in some microseconds, many by all processors. Returns itself.

        This takes a second, and the first time ever ten. Probabilities stay the same to rounding, and those of shifted
        images as they are. The network's numbers are copied; whoever changes them afterwards calls this again.

        Raises:
            ConfigError: compiled code cannot be had here, or it is not a single network of dense layers in
                float32.
        """
        if reason := why_not_compiled():
            raise ConfigError(f"the model cannot be compiled: {reason}")
        if len(self.networks) > 1:
            raise ConfigError(f"the model cannot be compiled: it is an ensemble of {len(self.networks)} networks")
        from .engines.rows import Rows

        try:
            self._rows = Rows(self.network, self.preprocessing.scale, self.preprocessing.shift)
        except ValueError as error:
            raise ConfigError(f"the model cannot be compiled: {error}") from error
        self._rows(np.zeros((1, *self.image_shape), np.uint8))  # so that it is there when the first image comes
        return self

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_idle": deque(), "_rows": None}  # memory and code that belong to this process

    def __repr__(self) -> str:
        height, width = self.image_shape
        members = f"{len(self.networks)} networks, " if len(self.networks) > 1 else ""
        return f"Model({height}×{width} pixels to {len(self.classes)} classes, {members}{self.size:,} parameters)"

    def _repr_html_(self) -> str:
        height, width = self.image_shape
        names = [type(layer).__name__ for layer in self.network.layers]
        facts = {
            "images": f"{height}×{width} pixels",
            "classes": f"{len(self.classes):,}",
            "layers": ", ".join(names),
            "parameters": f"{self.size:,}",
        }
        if len(self.networks) > 1:
            facts["networks"] = f"{len(self.networks)}"
        weights = self.first_weights()[:UNITS_SHOWN]
        return card("Model", facts, pictures(map(signed, weights), [f"unit {i}" for i in range(len(weights))]))

    @classmethod
    def join(cls, models: Sequence[Self]) -> Self:
        """Return the ensemble of models that learned the same data.

        Raises:
            DataError: no models, too many, or models that differ in layers, preprocessing, classes or data.
        """
        forms = {(m.preprocessing, m.classes, m.trained_on, m.fingerprint, m.seen) for m in models}
        if len(forms) != 1:
            raise DataError("the models of an ensemble must have the same preprocessing, classes and data")
        networks = [network for model in models for network in model.networks]
        return cls(networks, *forms.pop(), models[0].doubts)

    @property
    def network(self) -> Network:
        """The network, and of an ensemble the first."""
        return self.networks[0]

    @property
    def size(self) -> int:
        """The number of parameters of all networks."""
        return sum(network.parameters.size for network in self.networks)

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the images that it takes, in pixels."""
        return self.preprocessing.height, self.preprocessing.width

    def logits(self, images: NDArray[Any], shifts: int = 0) -> Array:
        """Return the network's outputs (n, k) for images (n, h, w) or (n, h·w), or for one image (h, w).

        Where several answers are averaged, those of an ensemble or of shifted images, these are the logarithms of the
        mean probabilities, log (Σ softmax(z) / count), so that softmax gives the mean back.

        Args:
            images: gray values.
            shifts: s pixels. Each image is seen in all (2s + 1)² places up to s pixels from its own, with ground coming
                in at the sides, and the probabilities are averaged. 0 to 3; 0 is the image as it stands.

        Raises:
            DataError: images of another shape, or pixels that are not 0 … 255.
            ConfigError: other shifts.
        """
        return self._logits(self._pixels(images, shifts), shifts)

    def _pixels(self, images: NDArray[Any], shifts: int = 0) -> NDArray[np.uint8]:
        if not isinstance(shifts, int | np.integer) or not 0 <= shifts <= MAX_SHIFT:
            raise ConfigError(f"shifts: must be a whole number from 0 to {MAX_SHIFT}, not {shifts!r:.40}")
        return as_pixels(images, self.image_shape, maximum=self.preprocessing.maximum)

    def _logits(self, pixels: NDArray[np.uint8], shifts: int) -> Array:
        if self._rows and not shifts:
            return self._rows(pixels)
        p = self._take_pass()
        try:
            if len(pixels) <= self._block:
                return self._block_logits(pixels, shifts, p)
            Z = np.empty((len(pixels), len(self.classes)), self.network.dtype)
            for start in range(0, len(pixels), self._block):
                some = slice(start, start + self._block)
                Z[some] = self._block_logits(pixels[some], shifts, p)
            return Z
        finally:
            self._idle.append(p)

    def _take_pass(self) -> Pass:
        try:
            return self._idle.pop()
        except IndexError:  # as many are made as there are threads that ask at the same time
            return Pass(self.network)  # for all of an ensemble, whose layers are alike

    def _block_logits(self, pixels: NDArray[np.uint8], shifts: int, p: Pass) -> Array:
        if len(self.networks) == 1 and not shifts:  # one image is answered in microseconds, so this is direct
            return self.network.forward(self.inputs(pixels), p).copy()
        return _log_mean(self._answers(pixels, shifts, p))

    def _answers(self, pixels: NDArray[np.uint8], shifts: int, p: Pass) -> Iterator[Array]:
        """Yield the logits of each network for the images in each place; the next overwrite them."""
        for shifted in self._shifted(pixels, shifts):
            X = self.inputs(shifted)
            for network in self.networks:
                yield network.forward(X, p)

    def _shifted(self, pixels: NDArray[np.uint8], shifts: int) -> Iterator[NDArray[np.uint8]]:
        """Yield the images in each place that is up to ``shifts`` pixels from their own."""
        height, width = self.image_shape
        margin = (shifts, shifts)
        padded = np.pad(pixels, ((0, 0), margin, margin), constant_values=self.preprocessing.ground)
        for top, left in product(range(2 * shifts + 1), repeat=2):
            yield padded[:, top : top + height, left : left + width]

    def inputs(self, images: NDArray[np.uint8]) -> Array:
        """Return what the network is given for images (n, h, w) of its form, ``(n, *input_shape)``."""
        X = self.preprocessing.apply(images, self.network.dtype)
        return X.reshape(len(X), *self.network.input_shape)

    def first_weights(self) -> Array:
        """Return the weights of each unit of the first layer as an image (units, h, w), of an ensemble the first one's.

        The units of a convolution are its filters, and their images are as large as its window.

        Raises:
            DataError: no layer has weights.
        """
        shape: tuple[int, ...] = (*self.image_shape, 1)  # of what the layer sees
        for layer in self.network.layers:
            if layer.weights:
                W = self.network.named_parameters[f"{self.network.layers.index(layer)}.W"]
                seen = W if W.ndim == 4 else W.reshape(*shape, -1)  # (h, w, channels, units)
                return seen[:, :, 0].transpose(2, 0, 1)
            shape = layer.output_shape(shape) if isinstance(layer, MaxPool2D | AveragePool2D) else shape
        raise DataError("this network has no layer whose weights could be shown")

    def predict_proba(self, images: NDArray[Any], shifts: int = 0) -> Array:
        """Return the probability of each class (n, k) for images (n, h, w); arguments and errors are those of `logits`.

        It is the mean over all members of an ensemble, and over all shifts.
        """
        pixels = self._pixels(images, shifts)
        if self._rows and not shifts:
            return _finite(self._rows(pixels, probabilities=True))
        return softmax(self._finite_logits(pixels, shifts))

    def predict(self, images: NDArray[Any], shifts: int = 0) -> NDArray[np.int64]:
        """Return the index of the most probable class (n,) for images (n, h, w); raises as `logits` does.

        For digits the index is the digit; otherwise `classes` has the name that belongs to it.
        """
        labels: NDArray[np.int64] = self._finite_logits(self._pixels(images, shifts), shifts).argmax(axis=1)
        return labels

    def doubt(self, images: NDArray[Any]) -> Array | None:
        """Return how little images (n, h, w) are like the classes (n,), from 0 to 1; None if the model can't tell.

        One in a hundred images of the classes has more than 0.5. Raises as `logits` does.
        """
        if self.doubts is None:
            return None
        pixels = self._pixels(images)
        p = self._take_pass()
        blocks = (self.inputs(pixels[i : i + self._block]) for i in range(0, len(pixels), self._block))
        try:
            found = [self.doubts(self.network, p, self.network.forward(X, p)) for X in blocks]
        finally:
            self._idle.append(p)
        return np.concatenate(found) if found else np.zeros(0, np.float32)

    def recognise(self, images: NDArray[Any], shifts: int = 0) -> tuple[Array, Array | None]:
        """Return what `predict_proba` and `doubt` do, of few images in one pass through the network."""
        pixels = self._pixels(images, shifts)
        if self.doubts is None or len(self.networks) > 1 or shifts or len(pixels) > self._block:
            return self.predict_proba(images, shifts), self.doubt(images)
        p = self._take_pass()
        try:
            with np.errstate(all="ignore"):
                Z = _finite(self.network.forward(self.inputs(pixels), p))
            return softmax(Z), self.doubts(self.network, p, Z)
        finally:
            self._idle.append(p)

    def _finite_logits(self, pixels: NDArray[np.uint8], shifts: int) -> Array:
        with np.errstate(all="ignore"):
            return _finite(self._logits(pixels, shifts))

    def read(self, picture: str | PathLike[str] | bytes | NDArray[Any], grid: tuple[int, int] | None = None) -> Reading:
        """Read all digits of a picture: lines of numbers, with the place of each digit.

        Args:
            picture: a file, its content, or gray values (h, w).
            grid: rows and columns of cells, of which some may be empty; the grid may lie askew on the picture. By
                default digits are looked for in lines.

        Raises:
            DataError: it cannot be read, is blank, or shows too much.
            ConfigError: a grid of no cells, or of more than 10,000.
        """
        name = str(picture) if isinstance(picture, str | PathLike) else "the picture"
        gray = as_images(picture[None])[0] if isinstance(picture, np.ndarray) else read_picture(picture, name)
        if grid is None:
            return read_lines(self, gray, name)
        rows, columns = grid
        if rows < 1 or columns < 1 or rows * columns > MAX_CELLS:
            raise ConfigError(f"grid: {rows}x{columns} has no cells, or more than {MAX_CELLS:,}; give such as 9x9")
        return read_grid(self, gray, rows, columns, name)

    def save(self, path: str | PathLike[str], *, durable: bool = True) -> None:
        """Write the model to one safetensors file, all members of an ensemble included.

        Args:
            path: the file.
            durable: whether to wait until it is on the disk; one that is soon overwritten need not outlast a power cut.

        Raises:
            FileError: the file cannot be written, or a parameter is not finite; what was there before is still there.
        """
        write_model(path, self._parts(), durable=durable)

    def metadata(self, weights: Literal["float16"] | None = None) -> dict[str, str]:
        """Return what a model file says beside its tensors; ``weights`` is their type where it is not the network's."""
        return model_metadata(self._parts(), weights)

    def _parts(self) -> ModelParts:
        about = self.trained_on, self.fingerprint, self.seen, self.doubts
        return ModelParts(self.networks, self.preprocessing, self.classes, *about)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a model from the file that `save` wrote. Everything in it is checked; nothing in it is executed.

        Raises:
            FileError: no such file, not a model of this version, or one whose parts do not fit together.
        """
        return cls(*read_model(path))


def _finite(Z: Array) -> Array:
    if not np.isfinite(Z).all():
        raise DataError("the model's weights are so large that its answer is NaN; train it again")
    return Z


def _form(network: Network) -> tuple[object, ...]:
    """What the networks of an ensemble have in common."""
    return network.specification(), network.input_shape, network.dtype


def _log_mean(answers: Iterable[Array]) -> Array:
    """Return log (Σ softmax(Z) / count) of logits Z (n, k).

    It stays among logarithms throughout: a class that no answer gives a probability which float32 can hold still has a
    finite one.
    """
    total: Array = np.asarray(-np.inf, np.float32)
    count = 0
    for Z in answers:
        Z = Z - Z.max(axis=1, keepdims=True)
        Z -= np.log(np.exp(Z).sum(axis=1, keepdims=True))
        total = np.logaddexp(total, Z)
        count += 1
    mean: Array = total - np.log(np.asarray(count, total.dtype))
    return mean
