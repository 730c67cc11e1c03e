"""From a configuration to the parts of a run: images, network, loss, optimizer, learning-rate schedule."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..clinic import MISTAKES, Mistake
from ..data import Dataset, Examples
from ..engines import available_threads, choose_engine, choose_threads
from ..errors import TrainingError
from ..nn import (
    NUMPY,
    OPTIMIZERS,
    AdamW,
    Conv2D,
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
from ..nn.chain import chain_of
from ..nn.types import Shape
from ..tensor_files import MAX_TENSOR_FILE_BYTES
from .architecture import build_layers, multiply_adds, network_words
from .config import Config
from .one_by_one import can_go_one_by_one
from .rehearsal import split

__all__ = [
    "Task",
    "build_loss",
    "build_network",
    "build_optimizer",
    "build_schedule",
    "check_size",
    "prepare",
    "shares_out_images",
]

ONE_BY_ONE = 1_000_000  # multiply-adds that take NumPy as long as a step on one example, which compiled is one call


class Task(NamedTuple):
    """What a run learns."""

    training: Examples
    mixture: str  # of what they are mixed, for people, where some are rehearsed
    validation: Examples
    mistakes: list[Mistake]  # that are planted in it
    image_shape: tuple[int, int]
    network: str  # its layers, for people
    work: int  # multiply-adds forward through the network, over all epochs
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
    if not config.rehearsal:
        dataset.require_trainable()
    mistakes = [MISTAKES[name]() for name in config.mistakes]
    training, validation, mixture = split(config, dataset)
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
    inputs = math.prod(dataset.image_shape)
    layers = build_layers(config, dataset.image_shape, len(dataset.classes))
    check_size(config, layers, inputs)
    work = multiply_adds(layers, inputs)
    products = config.threads or choose_threads(size * max(work))
    # To distort a batch takes a millisecond or more, which is nearly always worth another thread.
    threads = config.threads or (available_threads() if config.augmentation else products)
    if shares_out_images(layers):
        products = 1
    total = config.epochs * len(training) * sum(work)
    by_chain = config.batch_size == 1 and can_go_one_by_one(config, layers) and chain_of(layers)
    calls = config.epochs * len(training) * ONE_BY_ONE if by_chain else 0
    engine = choose_engine(config.engine, max(total, calls))
    network = ", ".join(network_words(config, dataset.image_shape, len(dataset.classes)))
    shape = dataset.image_shape
    return Task(training, mixture, validation, mistakes, shape, network, total, size, engine, threads, products)


def shares_out_images(layers: Sequence[Layer]) -> bool:
    """Whether layers share out images among the engine's threads, each of which then computes its own products."""
    return any(isinstance(layer, Conv2D) for layer in layers)


def check_size(config: Config, layers: Sequence[Layer], inputs: int) -> int:
    """Return how many parameters a network has; raise TrainingError where its files would be too large."""
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
            f"{'layers' if config.layers else 'hidden'}: {parameters:,} parameters make checkpoints of {needed:,} "
            f"bytes, more than the {MAX_TENSOR_FILE_BYTES:,} allowed; use fewer units"
        )
    joined = one * config.members * size
    if joined > MAX_TENSOR_FILE_BYTES:
        raise TrainingError(
            f"members: {config.members} networks of {parameters:,} parameters make a model file of {joined:,} bytes, "
            f"more than the {MAX_TENSOR_FILE_BYTES:,} allowed; use fewer members or units"
        )
    return parameters


def build_network(
    config: Config, shape: Shape, classes: int, mistakes: Sequence[Mistake] = (), engine: Engine = NUMPY
) -> Network:
    """Return a network for rows (d,) or images (h, w), laid out as rows, and ``classes`` outputs.

    Args:
        config: its layers and first weights.
        shape: of an example.
        classes: how many there are.
        mistakes: that are planted in it.
        engine: what it computes with.

    Raises:
        ConfigError: a layer that does not fit onto what the one before it leaves.
    """
    layers = build_layers(config, shape, classes)
    for mistake in mistakes:
        layers = mistake.layers(layers)
    network = Network(layers, math.prod(shape), dtype=config.dtype, seed=config.seed, engine=engine)
    rng = np.random.default_rng((config.seed, 1))
    for mistake in mistakes:
        mistake.initialize(network, rng)
    return network


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
