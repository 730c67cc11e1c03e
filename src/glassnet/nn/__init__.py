"""The mathematics of a neural network, in NumPy and nothing else.

    network = Network([Dense(128), ReLU(), Dense(10)], 784)
    loss = SoftmaxCrossEntropy(classes=10)
    optimizer = Adam(network.parameters, network.gradients)

    p = Pass(network, training=True)                        # what a batch leaves behind on its way
    found = loss(network.forward(X, p), y)                  # X (n, 784) float32, y (n,) integers
    network.backward(found.gradient, p)
    optimizer.step(learning_rate=0.001)

Read `glassnet.textbook` first, then here `layers`, `activations`, `formulas`, `convolution`, `normalization`, `losses`,
`passes`, `network`, `optimizers`, `schedules`, `averaging`, `adversarial`, `chain`, and last how all of it is computed:
`engine`, `elementwise`, `products`, `windows`.
"""

from .activations import ACTIVATIONS, GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from .adversarial import fast_gradient
from .averaging import WeightAverage
from .convolution import AveragePool2D, Conv2D, GlobalAveragePool2D, MaxPool2D
from .engine import NUMPY, Engine
from .gradient_check import GradientCheck, check_gradients
from .initializers import INITIALIZERS, initialize
from .layers import Bias, Dense, Dropout, Flatten, Layer, Reshape, SpatialDropout2D
from .losses import Loss, LossAndGradient, MeanSquaredError, SoftmaxCrossEntropy, softmax
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
from .passes import Batch, LayerPass, Pass
from .products import SomeColumns
from .regularizers import L2
from .schedules import Schedule, constant, cosine, one_cycle, step_decay, warm_up
from .windows import Window

__all__ = [
    "ACTIVATIONS",
    "GELU",
    "INITIALIZERS",
    "L2",
    "NUMPY",
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "AdamW",
    "AveragePool2D",
    "Batch",
    "BatchNorm",
    "Bias",
    "Conv2D",
    "Dense",
    "Dropout",
    "Engine",
    "Flatten",
    "GlobalAveragePool2D",
    "GradientCheck",
    "Layer",
    "LayerPass",
    "LeakyReLU",
    "Loss",
    "LossAndGradient",
    "MaxPool2D",
    "MeanSquaredError",
    "Momentum",
    "Nesterov",
    "Network",
    "Optimizer",
    "Pass",
    "RMSprop",
    "ReLU",
    "Reshape",
    "Schedule",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "SomeColumns",
    "SpatialDropout2D",
    "Tanh",
    "WeightAverage",
    "Window",
    "check_gradients",
    "clip_gradient_norm",
    "constant",
    "cosine",
    "fast_gradient",
    "initialize",
    "one_cycle",
    "softmax",
    "step_decay",
    "tensor_shapes",
    "warm_up",
]
