"""From a configuration to the parts of a run: network, loss, optimizer, learning-rate schedule."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..clinic import Mistake
from ..nn import (
    ACTIVATIONS,
    OPTIMIZERS,
    AdamW,
    BatchNorm,
    Dense,
    Dropout,
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

__all__ = ["build_loss", "build_network", "build_optimizer", "build_schedule"]


def build_network(config: Config, inputs: int, classes: int, mistakes: Sequence[Mistake] = ()) -> Network:
    """Return a network for ``inputs`` numbers and ``classes`` outputs, with ``mistakes`` planted.

    Each hidden layer is Dense, BatchNorm where asked for, the activation, and Dropout where asked for.
    """
    activations = config.activation * len(config.hidden) if len(config.activation) == 1 else config.activation
    layers: list[Layer] = []
    for units, activation in zip(config.hidden, activations, strict=False):
        layers.append(Dense(units, config.initializer, config.initializer_scale))
        if config.batch_norm:
            layers.append(BatchNorm())
        layers.append(ACTIVATIONS[activation]())
        if config.dropout:
            layers.append(Dropout(config.dropout))
    layers.append(Dense(classes, config.initializer, config.initializer_scale))
    for mistake in mistakes:
        layers = [mistake.layer(layer) for layer in layers]
    network = Network(layers, inputs, dtype=config.dtype, seed=config.seed)
    for mistake in mistakes:
        mistake.initialize(network, np.random.default_rng((config.seed, 1)))
    return network


def build_loss(
    config: Config, labels: NDArray[np.int64], classes: int, mistakes: Sequence[Mistake] = ()
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
    return loss(classes, config.label_smoothing, weights)


def build_optimizer(config: Config, network: Network) -> Optimizer:
    """Return the optimizer, bound to the parameters and gradients of ``network``."""
    rule = OPTIMIZERS[config.optimizer]
    if issubclass(rule, AdamW):
        weights = [W for W, _ in network.weights()]
        return rule(network.parameters, network.gradients, config.weight_decay, weights)
    if issubclass(rule, Momentum):
        return rule(network.parameters, network.gradients, config.momentum)
    return rule(network.parameters, network.gradients)


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
