"""From a configuration to the parts of a run: images, network, loss, optimizer, learning-rate schedule."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..clinic import MISTAKES, Mistake
from ..data import Dataset, Examples
from ..engines import available_threads, choose_engine, choose_threads
from ..errors import TrainingError
from ..files import MAX_TENSOR_FILE_BYTES
from ..nn import (
    ACTIVATIONS,
    NUMPY,
    OPTIMIZERS,
    AdamW,
    BatchNorm,
    Dense,
    Dropout,
    Engine,
    Layer,
    Momentum,
    Network,
    Optimizer,
    Schedule,
    SoftmaxCrossEntropy,
    constant,
    cosine,
    one_cycle,
    step_decay,
    warm_up,
)
from .config import Config

__all__ = ["Task", "build_loss", "build_network", "build_optimizer", "build_schedule", "multiply_adds", "prepare"]


class Task(NamedTuple):
    """What a run learns."""

    training: Examples
    validation: Examples
    mistakes: list[Mistake]  # that are planted in it
    sizes: list[int]  # of the network's inputs, of each of its layers, and of its outputs
    batch_size: int
    engine: str
    threads: int
    products: int  # threads of NumPy's products


def prepare(config: Config, dataset: Dataset) -> Task:
    """Split the images, and refuse what cannot be trained on, before any memory is taken for it.

    Raises:
        DataError: data that cannot be trained on.
        TrainingError: a batch larger than the data, or a network too large for its files.
    """
    dataset.require_trainable()
    mistakes = [MISTAKES[name]() for name in config.mistakes]
    training, validation = dataset.split(config.validation, config.split_seed)
    for mistake in mistakes:
        mistake.see(training, validation)
    for mistake in mistakes:
        training, validation = mistake.examples(training, validation, config.split_seed)
    size = len(training) if config.batch_size == "all" else int(config.batch_size)
    if size > len(training):
        raise TrainingError(
            f"batch_size: {size} is more than the {len(training)} training images of "
            f"{dataset.name}; use {len(training)} or fewer"
        )
    inputs, classes = math.prod(dataset.image_shape), len(dataset.classes)
    sizes = [inputs, *config.hidden, classes]
    _check_size(config, _layers(config, classes), inputs)
    products = config.threads or choose_threads(size, sizes)
    # To distort a batch takes milliseconds, which is always worth another thread.
    threads = config.threads or (available_threads() if config.augmentation else products)
    engine = choose_engine(config.engine, multiply_adds(config, len(training), sizes))
    return Task(training, validation, mistakes, sizes, size, engine, threads, products)


def multiply_adds(config: Config, examples: int, sizes: Sequence[int]) -> int:
    """Return how many multiply-adds a run takes forward through its network.

    Args:
        config: of which the number of epochs counts.
        examples: how many it learns from.
        sizes: the number of inputs, of the units of each layer, and of outputs.
    """
    return config.epochs * examples * sum(a * b for a, b in pairwise(sizes))


def _check_size(config: Config, layers: Sequence[Layer], inputs: int) -> None:
    """Refuse networks whose files would be larger than a file may be."""
    parameters = statistics = 0
    shape: tuple[int, ...] = (inputs,)
    for layer in layers:
        parameters += sum(map(math.prod, layer.parameter_shapes(shape).values()))
        statistics += sum(map(math.prod, layer.statistic_shapes(shape).values()))
        shape = layer.output_shape(shape)
    moments, size = len(OPTIMIZERS[config.optimizer].moments), np.dtype(config.dtype).itemsize
    one = parameters + statistics
    needed = (one * (1 + bool(config.ema)) + parameters * moments) * size
    if needed > MAX_TENSOR_FILE_BYTES:
        raise TrainingError(
            f"hidden: {parameters:,} parameters make checkpoints of {needed:,} bytes, more than the "
            f"{MAX_TENSOR_FILE_BYTES:,} allowed; use fewer units"
        )
    joined = one * config.members * size
    if joined > MAX_TENSOR_FILE_BYTES:
        raise TrainingError(
            f"members: {config.members} networks of {parameters:,} parameters make a model file of {joined:,} bytes, "
            f"more than the {MAX_TENSOR_FILE_BYTES:,} allowed; use fewer members or units"
        )


def build_network(
    config: Config, inputs: int, classes: int, mistakes: Sequence[Mistake] = (), engine: Engine = NUMPY
) -> Network:
    """Return a network for ``inputs`` numbers and ``classes`` outputs, with ``mistakes`` planted."""
    layers = _layers(config, classes)
    for mistake in mistakes:
        layers = [mistake.layer(layer) for layer in layers]
    network = Network(layers, inputs, dtype=config.dtype, seed=config.seed, engine=engine)
    rng = np.random.default_rng((config.seed, 1))
    for mistake in mistakes:
        mistake.initialize(network, rng)
    return network


def _layers(config: Config, classes: int) -> list[Layer]:
    """Return the layers, each hidden one Dense, BatchNorm where asked for, the activation, Dropout where asked for."""
    activations = config.activation * len(config.hidden) if len(config.activation) == 1 else config.activation
    layers: list[Layer] = []
    for units, activation in zip(config.hidden, activations, strict=False):
        layers.append(Dense(units, config.initializer, config.initializer_scale))
        if config.batch_norm:
            layers.append(BatchNorm())
        layers.append(ACTIVATIONS[activation]())
        if config.dropout:
            layers.append(Dropout(config.dropout))
    return [*layers, Dense(classes, config.initializer, config.initializer_scale)]


def build_loss(
    config: Config,
    labels: NDArray[np.int64],
    classes: int,
    mistakes: Sequence[Mistake] = (),
    engine: Engine = NUMPY,
) -> SoftmaxCrossEntropy:
    """Return the loss, with ``mistakes`` planted.

    Balanced class weights are n / (k · count of the class), so that their mean over images is 1.
    """
    weights = None
    if config.class_weight == "balanced":
        counts = np.bincount(labels, minlength=classes)
        weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    kinds = dict.fromkeys(mistake.loss() for mistake in mistakes)
    kinds.pop(SoftmaxCrossEntropy, None)
    loss: type[SoftmaxCrossEntropy] = type("PlantedLoss", tuple(kinds), {}) if kinds else SoftmaxCrossEntropy
    return loss(classes, config.label_smoothing, weights, engine)


def build_optimizer(config: Config, network: Network) -> Optimizer:
    """Return the optimizer, bound to the parameters and gradients of ``network``."""
    rule, vectors = OPTIMIZERS[config.optimizer], (network.parameters, network.gradients)
    if issubclass(rule, AdamW):
        weights = [W for W, _ in network.weights()]
        return rule(*vectors, config.weight_decay, weights, engine=network.engine)
    if issubclass(rule, Momentum):
        return rule(*vectors, config.momentum, engine=network.engine)
    return rule(*vectors, engine=network.engine)


def build_schedule(config: Config, steps_per_epoch: int) -> Schedule:
    """Return the learning rate as a function of the step."""
    peak, steps = config.learning_rate, config.epochs * steps_per_epoch
    schedules = {
        "constant": lambda: constant(peak),
        "step": lambda: step_decay(peak, max(round(config.step_epochs * steps_per_epoch), 1), config.step_factor),
        "cosine": lambda: cosine(peak, steps),
        "one_cycle": lambda: one_cycle(peak, steps),
    }
    return warm_up(schedules[config.schedule](), round(config.warmup_epochs * steps_per_epoch))
