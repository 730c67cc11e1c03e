"""The rules for single numbers, each written once: activations and their derivatives, and what moves a parameter.

A rule is a pure function. It may be called with numbers, or with arrays, for whose numbers it holds one by one; an
engine makes of it whatever is quickest there (`elementwise` says what the NumPy engine does). So a rule consists of
+ − · / and comparisons, and of the functions of NumPy that are imported here. What it changes comes first among its
arguments, and is what it returns.

The gradient of an activation a = f(z) is the chain rule, number by number:

    dz = da · f′(z)

where f′ is had from the output a wherever that is possible.

The optimizers have PyTorch's forms, so that a setting found there can be used here. With θ a parameter, g its gradient,
η the learning rate and ← for what is returned:

    SGD        θ ← θ − η g
    Momentum   v ← μ v + g                      θ ← θ − η v
    Nesterov   v ← μ v + g                      θ ← θ − η (g + μ v)
    RMSprop    s ← ρ s + (1 − ρ) g²             θ ← θ − η g / (√s + ε)
    Adam       m ← β₁ m + (1 − β₁) g            θ ← θ − η m̂ / (√v̂ + ε)
               v ← β₂ v + (1 − β₂) g²           m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
"""

from math import pi

from numpy import absolute, maximum, sqrt, tanh

from .types import Array

__all__ = [
    "adam",
    "add_multiple",
    "gelu",
    "gelu_gradient",
    "leaky_relu",
    "leaky_relu_gradient",
    "momentum",
    "moving_average",
    "multiple",
    "nesterov",
    "product",
    "relu",
    "relu_gradient",
    "rmsprop",
    "sgd",
    "sigmoid",
    "sigmoid_gradient",
    "tanh",
    "tanh_gradient",
    "without_traces",
]

GELU_SCALE = (2 / pi) ** 0.5
GELU_CUBE = 0.044715
NEGLIGIBLE = 1e-30


def relu(z: Array) -> Array:
    """max(z, 0)."""
    a: Array = maximum(z, 0)
    return a


def relu_gradient(da: Array, z: Array, a: Array) -> Array:
    """f′ = 1 where a > 0, else 0."""
    return da * (a > 0)


def leaky_relu(z: Array, slope: float) -> Array:
    """z where z > 0, else s z; with s < 1 the larger of the two is the right one."""
    a: Array = maximum(z, slope * z)
    return a


def leaky_relu_gradient(da: Array, z: Array, a: Array, slope: float) -> Array:
    """f′ = 1 where a > 0, else s."""
    return da * (slope + (1 - slope) * (a > 0))


def gelu(z: Array) -> Array:
    """½ z (1 + t), with t = tanh(c (z + 0.044715 z³)) and c = √(2/π)."""
    t = tanh(GELU_SCALE * (z + GELU_CUBE * z * z * z))
    a: Array = 0.5 * z * (1 + t)
    return a


def gelu_gradient(da: Array, z: Array, a: Array) -> Array:
    """f′ = ½ (1 + t) + ½ z (1 − t²) u′, with u′ = c (1 + 3 · 0.044715 z²)."""
    t = tanh(GELU_SCALE * (z + GELU_CUBE * z * z * z))
    u_slope = GELU_SCALE * (1 + 3 * GELU_CUBE * z * z)
    slope: Array = 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * u_slope
    return da * slope


def sigmoid(z: Array) -> Array:
    """1 / (1 + e⁻ᶻ) = ½ (1 + tanh(z/2)), of which the second form overflows nowhere."""
    t: Array = tanh(0.5 * z)
    return 0.5 * (1 + t)


def sigmoid_gradient(da: Array, z: Array, a: Array) -> Array:
    """f′ = a (1 − a)."""
    return da * (a * (1 - a))


def tanh_gradient(da: Array, z: Array, a: Array) -> Array:
    """f′ = 1 − a²."""
    return da * (1 - a * a)


def sgd(theta: Array, g: Array, eta: float) -> Array:
    """θ − η g."""
    return theta - eta * g


def momentum(theta: Array, v: Array, g: Array, eta: float, mu: float) -> tuple[Array, Array]:
    """v ← μ v + g, then θ − η v."""
    v = mu * v + g
    return theta - eta * v, v


def nesterov(theta: Array, v: Array, g: Array, eta: float, mu: float) -> tuple[Array, Array]:
    """v ← μ v + g, then θ − η (g + μ v)."""
    v = mu * v + g
    return theta - eta * (g + mu * v), v


def rmsprop(theta: Array, s: Array, g: Array, eta: float, rho: float, epsilon: float) -> tuple[Array, Array]:
    """s ← ρ s + (1 − ρ) g², then θ − η g / (√s + ε)."""
    s = rho * s + (1 - rho) * (g * g)
    return theta - eta * (g / (sqrt(s) + epsilon)), s


def adam(
    theta: Array, m: Array, v: Array, g: Array, eta: float, beta1: float, beta2: float, epsilon: float
) -> tuple[Array, Array, Array]:
    """Adam with its constants taken out of the arrays, as `glassnet.nn.Adam` explains.

    m ← β₁ m + g, v ← β₂ v + g², then θ − η m / (√v + ε)
    """
    m = beta1 * m + g
    v = beta2 * v + g * g
    return theta - eta * (m / (sqrt(v) + epsilon)), m, v


def moving_average(mean: Array, theta: Array, share: float) -> Array:
    """The mean moved a share of the way towards θ."""
    return mean + share * (theta - mean)


def multiple(theta: Array, factor: float) -> Array:
    """factor · θ."""
    return factor * theta


def product(x: Array, m: Array) -> Array:
    """X m."""
    return x * m


def add_multiple(g: Array, theta: Array, factor: float) -> Array:
    """g + factor · θ."""
    return g + factor * theta


def without_traces(m: Array) -> Array:
    """A moment, or 0 where it has faded to nothing (below 1e-30, which moves no parameter)."""
    return m * (absolute(m) >= NEGLIGIBLE)
