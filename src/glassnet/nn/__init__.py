"""The mathematics of a neural network, in NumPy and nothing else.

    network = Network([Dense(128), ReLU(), Dense(10)], 784)
    loss = SoftmaxCrossEntropy(classes=10)
    optimizer = Adam(network.parameters, network.gradients)

    loss.forward(network.forward(X, training=True), y)      # X (n, 784) float32, y (n,) integers
    network.backward(loss.backward())
    optimizer.step(learning_rate=0.001)

Read `glassnet.textbook` first, then here `layers`, `activations`, `normalization`, `losses`, `network`, `optimizers`,
`schedules`, `averaging`.
"""

from .activations import ACTIVATIONS, GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from .averaging import WeightAverage
from .gradient_check import GradientCheck, check_gradients
from .initializers import INITIALIZERS, initialize
from .layers import Dense, Dropout, Flatten, Layer
from .losses import Loss, MeanSquaredError, SoftmaxCrossEntropy, softmax
from .network import Network, tensor_shapes
from .normalization import BatchNorm
from .optimizers import (
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
    clip_gradient_norm,
)
from .regularizers import L2
from .schedules import Schedule, constant, cosine, one_cycle, step_decay, warm_up

__all__ = [
    "ACTIVATIONS",
    "GELU",
    "INITIALIZERS",
    "L2",
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "AdamW",
    "BatchNorm",
    "Dense",
    "Dropout",
    "Flatten",
    "GradientCheck",
    "Layer",
    "LeakyReLU",
    "Loss",
    "MeanSquaredError",
    "Momentum",
    "Nesterov",
    "Network",
    "Optimizer",
    "RMSprop",
    "ReLU",
    "Schedule",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "Tanh",
    "WeightAverage",
    "check_gradients",
    "clip_gradient_norm",
    "constant",
    "cosine",
    "initialize",
    "one_cycle",
    "softmax",
    "step_decay",
    "tensor_shapes",
    "warm_up",
]
