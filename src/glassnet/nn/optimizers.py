"""What turns a gradient into a step.

The rules are in `formulas`. Each treats every number by itself, so an engine applies it to the flat vectors of all
parameters, gradients and moments at once.
"""

from collections.abc import Sequence
from math import sqrt
from typing import ClassVar

from . import formulas
from .elementwise import Formula
from .engine import NUMPY, Engine
from .types import Array

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Momentum", "Nesterov", "Optimizer", "RMSprop", "clip_gradient_norm"]

FLUSH_EVERY = 64  # steps
ALL = slice(None)


class Optimizer:
    """Base of all rules.

    Args:
        parameters: θ, flat; updated in place.
        gradients: g, flat, read at each step.
        engine: what to compute with.

    Attributes:
        state: the rule's moments by name, each as long as θ. With ``steps`` it is all that must be kept to go on.
        steps: t, how many steps have been taken.
    """

    rule: ClassVar[Formula]
    moments: ClassVar[tuple[str, ...]] = ()

    def __init__(self, parameters: Array, gradients: Array, *, engine: Engine = NUMPY) -> None:
        self.parameters, self.gradients, self.engine = parameters, gradients, engine
        self.state = {name: engine.zeros(parameters.shape, parameters.dtype) for name in self.moments}
        self.steps = 0

    def constants(self, learning_rate: float) -> tuple[float, ...]:
        """Return what the rule takes besides arrays, at step `steps`."""
        return (learning_rate,)

    def step(self, learning_rate: float, part: slice = ALL) -> None:
        """Take one step of size η = ``learning_rate`` against the gradient.

        Args:
            learning_rate: η.
            part: of the parameters, where others move the rest.
        """
        self.steps += 1
        theta, g, moments = self.parameters, self.gradients, list(self.state.values())
        if part is not ALL:
            theta, g, *moments = (numbers[part] for numbers in (theta, g, *moments))
        if self.steps % FLUSH_EVERY == 0:
            # The moments of a dead unit fade towards zero and end as subnormal numbers (below 1e-38 in float32), with
            # which a processor computes a hundred times more slowly. Seen on MNIST: they doubled Adam's time.
            for moment in moments:
                self.engine.update(formulas.without_traces, (moment,), ())
        self.engine.update(type(self).rule, (theta, *moments), (g,), self.constants(learning_rate))


class SGD(Optimizer):
    """Stochastic gradient descent."""

    rule = formulas.sgd


class Momentum(Optimizer):
    """Gradient descent with inertia: a running sum of gradients, of which μ stays at each step (Polyak, 1964).

    Args:
        parameters, gradients, engine: see `Optimizer`.
        momentum: μ.
    """

    rule, moments = formulas.momentum, ("velocity",)

    def __init__(self, parameters: Array, gradients: Array, momentum: float = 0.9, *, engine: Engine = NUMPY) -> None:
        super().__init__(parameters, gradients, engine=engine)
        self.momentum = momentum

    def constants(self, learning_rate: float) -> tuple[float, ...]:
        return learning_rate, self.momentum


class Nesterov(Momentum):
    """Momentum that looks ahead: the gradient counts as if the coming move had been made (Sutskever et al., 2013)."""

    rule = formulas.nesterov


class RMSprop(Optimizer):
    """Each parameter's step is divided by the recent size of its own gradient (Tieleman & Hinton, 2012).

    Args:
        parameters, gradients, engine: see `Optimizer`.
        decay: ρ.
        epsilon: ε.
    """

    rule, moments = formulas.rmsprop, ("square",)

    def __init__(
        self,
        parameters: Array,
        gradients: Array,
        decay: float = 0.99,
        epsilon: float = 1e-8,
        *,
        engine: Engine = NUMPY,
    ) -> None:
        super().__init__(parameters, gradients, engine=engine)
        self.decay, self.epsilon = decay, epsilon

    def constants(self, learning_rate: float) -> tuple[float, ...]:
        return learning_rate, self.decay, self.epsilon


class Adam(Optimizer):
    """Momentum and RMSprop together, both corrected for having begun at zero (Kingma & Ba, 2015).

    The constants are taken out of the arrays, which saves passes over them. Kept are M = m / (1 − β₁) and
    V = v / (1 − β₂), so that M ← β₁ M + g and V ← β₂ V + g², and with c = √((1 − β₂) / (1 − β₂ᵗ))

        η m̂ / (√v̂ + ε)  =  η (1 − β₁) / (1 − β₁ᵗ) / c  ·  M / (√V + ε/c)

    Args:
        parameters, gradients, engine: see `Optimizer`.
        beta1, beta2: β₁ and β₂.
        epsilon: ε.
    """

    rule, moments = formulas.adam, ("first", "second")

    def __init__(
        self,
        parameters: Array,
        gradients: Array,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        *,
        engine: Engine = NUMPY,
    ) -> None:
        super().__init__(parameters, gradients, engine=engine)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def constants(self, learning_rate: float) -> tuple[float, ...]:
        c = sqrt((1 - self.beta2) / (1 - self.beta2**self.steps))
        eta = learning_rate * (1 - self.beta1) / (1 - self.beta1**self.steps) / c
        return eta, self.beta1, self.beta2, self.epsilon / c


class AdamW(Adam):
    """Adam with weight decay beside the gradient instead of in it, so that the moments know nothing of it.

        W ← W − η λ W first, then as Adam        for the weights alone

    Loshchilov & Hutter, 2019.

    Args:
        parameters, gradients, engine: see `Optimizer`.
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
        *,
        engine: Engine = NUMPY,
    ) -> None:
        super().__init__(parameters, gradients, beta1, beta2, epsilon, engine=engine)
        self.weight_decay = weight_decay
        self.weights = [parameters] if weights is None else weights

    def step(self, learning_rate: float, part: slice = ALL) -> None:
        for W in self.weights:  # all of them: those outside ``part`` come from whoever moves them
            self.engine.update(formulas.multiple, (W,), (), (1 - learning_rate * self.weight_decay,))
        super().step(learning_rate, part)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}
"""The optimizers by the names that configurations use."""


def clip_gradient_norm(gradients: Array, limit: float, engine: Engine = NUMPY) -> float:
    """Shorten the gradient to length ``limit`` where it is longer, in place, keeping its direction.

        g ← g · min(1, limit / ‖g‖)        Pascanu et al., 2013

    Returns:
        ‖g‖ as it was.
    """
    norm = engine.norm(gradients)
    if norm > limit:
        engine.update(formulas.multiple, (gradients,), (), (limit / norm,))
    return norm
