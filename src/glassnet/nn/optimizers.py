"""Rules that turn a gradient into a step.

Every rule here treats each number by itself, so it is applied to one block of the flat vectors after another: the
block, its gradient and its moments stay in the processor's cache while the rule passes over them, and almost nothing is
allocated.

With θ the parameters, g their gradient, η the learning rate:

    SGD        θ ← θ − η g
    Momentum   v ← μ v + g                              θ ← θ − η v
    Nesterov   v ← μ v + g                              θ ← θ − η (g + μ v)
    RMSprop    s ← ρ s + (1 − ρ) g²                     θ ← θ − η g / (√s + ε)
    Adam       m ← β₁ m + (1 − β₁) g                    θ ← θ − η m̂ / (√v̂ + ε)
               v ← β₂ v + (1 − β₂) g²                   m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
    AdamW      W ← W − η λ W first, then as Adam        for the weights alone

These are PyTorch's forms, so that a setting found there can be used here.
"""

from collections.abc import Sequence
from math import ceil, inf, sqrt

import numpy as np

from .team import ALONE, Team
from .types import Array

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Momentum", "Nesterov", "Optimizer", "RMSprop", "clip_gradient_norm"]

BLOCK = 65_536  # numbers: in float32 five arrays of this length take 1.25 MiB, about what a core's own cache holds
FEW = 200_000  # numbers: with fewer a second thread costs more than it brings
FLUSH_EVERY = 64  # steps
ALL = slice(None)
NEGLIGIBLE = 1e-30  # a moment this small moves no parameter: its step would be 1e-15 of a rounding error


class Optimizer:
    """Base of all rules.

    Args:
        parameters: θ, flat; updated in place.
        gradients: g, flat, read at each step.

    Attributes:
        state: the rule's moments by name, each as long as θ. With ``steps`` it is all that must be kept to go on.
        steps: t, how many steps have been taken.
    """

    moments: tuple[str, ...] = ()

    def __init__(self, parameters: Array, gradients: Array) -> None:
        self.parameters, self.gradients = parameters, gradients
        self.state = {name: np.zeros_like(parameters) for name in self.moments}
        self.steps = 0
        self._scratch = [np.empty(min(BLOCK, parameters.size), parameters.dtype)]  # of each thread

    def step(self, learning_rate: float, team: Team = ALONE, part: slice = ALL) -> None:
        """Take one step of size η = ``learning_rate`` against the gradient.

        Args:
            learning_rate: η.
            team: the threads that share out the blocks.
            part: of the parameters, where others move the rest.
        """
        self.steps += 1
        whole = (self.parameters, self.gradients, *self.state.values())
        parameters, gradients, *moments = (numbers[part] for numbers in whole)
        if self.steps % FLUSH_EVERY == 0:
            _flush(moments)
        while len(self._scratch) < team.size:
            self._scratch.append(np.empty_like(self._scratch[0]))

        def update(member: int, number: int) -> None:
            block = slice(number * BLOCK, (number + 1) * BLOCK)
            theta, g = parameters[block], gradients[block]
            self.update(theta, g, learning_rate, self._scratch[member][: theta.size], *(v[block] for v in moments))

        blocks = ceil(parameters.size / BLOCK)
        if parameters.size < FEW:
            for number in range(blocks):
                update(0, number)
        else:
            team.share_out(update, blocks)

    def update(self, theta: Array, g: Array, eta: float, scratch: Array, *moments: Array) -> None:
        """Apply the rule to one block, in place; ``scratch`` is memory of the same length to compute in."""
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent."""

    def update(self, theta: Array, g: Array, eta: float, scratch: Array, *moments: Array) -> None:
        theta -= np.multiply(g, eta, out=scratch)


class Momentum(Optimizer):
    """Gradient descent with inertia: a running sum of gradients, of which μ stays at each step (Polyak, 1964).

    Args:
        parameters, gradients: see `Optimizer`.
        momentum: μ.
    """

    moments = ("velocity",)

    def __init__(self, parameters: Array, gradients: Array, momentum: float = 0.9) -> None:
        super().__init__(parameters, gradients)
        self.momentum = momentum

    def update(self, theta: Array, g: Array, eta: float, scratch: Array, *moments: Array) -> None:
        (v,) = moments
        v *= self.momentum
        v += g
        theta -= np.multiply(v, eta, out=scratch)


class Nesterov(Momentum):
    """Momentum that looks ahead: the gradient counts as if the coming move had been made (Sutskever et al., 2013)."""

    def update(self, theta: Array, g: Array, eta: float, scratch: Array, *moments: Array) -> None:
        (v,) = moments
        v *= self.momentum
        v += g
        np.multiply(v, self.momentum, out=scratch)
        scratch += g
        scratch *= eta
        theta -= scratch


class RMSprop(Optimizer):
    """Each parameter's step is divided by the recent size of its own gradient (Tieleman & Hinton, 2012).

    Args:
        parameters, gradients: see `Optimizer`.
        decay: ρ.
        epsilon: ε.
    """

    moments = ("square",)

    def __init__(self, parameters: Array, gradients: Array, decay: float = 0.99, epsilon: float = 1e-8) -> None:
        super().__init__(parameters, gradients)
        self.decay, self.epsilon = decay, epsilon

    def update(self, theta: Array, g: Array, eta: float, scratch: Array, *moments: Array) -> None:
        (s,) = moments
        s *= self.decay
        np.multiply(g, g, out=scratch)
        scratch *= 1 - self.decay
        s += scratch
        np.sqrt(s, out=scratch)
        scratch += self.epsilon
        np.divide(g, scratch, out=scratch)
        scratch *= eta
        theta -= scratch


class Adam(Optimizer):
    """Momentum and RMSprop together, both corrected for having begun at zero (Kingma & Ba, 2015).

    The constants are taken out of the arrays, which saves passes over them. Kept are M = m / (1 − β₁) and
    V = v / (1 − β₂), so that M ← β₁ M + g and V ← β₂ V + g², and with c = √((1 − β₂) / (1 − β₂ᵗ))

        η m̂ / (√v̂ + ε)  =  η (1 − β₁) / (1 − β₁ᵗ) / c  ·  M / (√V + ε/c)

    Args:
        parameters, gradients: see `Optimizer`.
        beta1, beta2: β₁ and β₂.
        epsilon: ε.
    """

    moments = ("first", "second")

    def __init__(
        self, parameters: Array, gradients: Array, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
    ) -> None:
        super().__init__(parameters, gradients)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def update(self, theta: Array, g: Array, eta: float, scratch: Array, *moments: Array) -> None:
        M, V = moments
        c = sqrt((1 - self.beta2) / (1 - self.beta2**self.steps))
        M *= self.beta1
        M += g
        V *= self.beta2
        V += np.multiply(g, g, out=scratch)
        np.sqrt(V, out=scratch)
        scratch += self.epsilon / c
        np.divide(M, scratch, out=scratch)
        scratch *= eta * (1 - self.beta1) / (1 - self.beta1**self.steps) / c
        theta -= scratch


class AdamW(Adam):
    """Adam with weight decay beside the gradient instead of in it, so that the moments know nothing of it.

    Loshchilov & Hutter, 2019.

    Args:
        parameters, gradients: see `Optimizer`.
        weight_decay: λ.
        weights: the views into ``parameters`` that decay; none given means all of ``parameters``.
        beta1, beta2, epsilon: see `Adam`.
    """

    def __init__(
        self,
        parameters: Array,
        gradients: Array,
        weight_decay: float = 0.01,
        weights: Sequence[Array] | None = None,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(parameters, gradients, beta1, beta2, epsilon)
        self.weight_decay = weight_decay
        self.weights = [parameters] if weights is None else weights

    def step(self, learning_rate: float, team: Team = ALONE, part: slice = ALL) -> None:
        for W in self.weights:  # all of them: those outside ``part`` come from whoever moves them
            W *= 1 - learning_rate * self.weight_decay
        super().step(learning_rate, team, part)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}
"""The optimizers by the names that configurations use."""


def _flush(moments: Sequence[Array]) -> None:
    """Set moments to zero that have faded to nothing.

    The moments of a dead unit fade towards zero and end as subnormal numbers (below 1e-38 in float32), with which a
    processor computes a hundred times more slowly. Seen on MNIST: 2 % of Adam's moments, which doubled its time.
    """
    for moment in moments:
        moment[np.abs(moment) < NEGLIGIBLE] = 0


def clip_gradient_norm(gradients: Array, limit: float) -> float:
    """Shorten the gradient to length ``limit`` where it is longer, in place, keeping its direction.

        g ← g · min(1, limit / ‖g‖)        Pascanu et al., 2013

    Returns:
        ‖g‖ as it was.
    """
    norm = sqrt(float(np.vdot(gradients, gradients)))
    if norm == inf:  # in float32 the squares of a gradient of 1e19 are too large; its direction is still right
        norm = float(np.linalg.norm(gradients.astype(np.float64)))
    if norm > limit:
        gradients *= limit / norm
    return norm
