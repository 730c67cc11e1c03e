"""Training steps, one contender a function: each returns what takes so many steps on MNIST's training images.

All of them learn the same network (ReLU, softmax, cross-entropy) with the same rule, and have their images in memory as
their users would: glassnet as bytes, which it gathers and scales for each batch; PyTorch and scikit-learn as float32,
scaled before. The order is drawn anew in each epoch. What is left of an epoch after its last full batch is not taken,
since torch.compile would have to compile for it once more.
"""

import os
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import count, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet import Config, load_dataset
from glassnet.engines import available_threads, computing
from glassnet.training import Loop, RunLoop

THREADS = available_threads()
RATES = {"adam": 0.001, "momentum": 0.01}
MOMENTUM = 0.9

Steps = Callable[[int], object]


@cache
def mnist() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The training images scaled (60000, 784), and their labels (60000,)."""
    train = load_dataset("mnist").train
    return train.images.reshape(len(train), -1) / np.float32(255), train.labels


def glassnet_loop(
    hidden: tuple[int, ...],
    batch: int,
    optimizer: str,
    threads: int | None = None,
    engine: str = "numpy",
    precision: str = "float32",
    **options: Any,
) -> RunLoop:
    """The loop of a run in memory, put together as `glassnet.train` does; ``options`` are those of `RunLoop`."""
    config = Config.resolve(
        "fast",  # which has neither batch normalisation nor distortions
        hidden=hidden,
        batch_size=batch,
        optimizer=optimizer,
        learning_rate=RATES[optimizer],
        momentum=MOMENTUM,
        schedule="constant",
        validation=0,
        threads=threads,
        engine=engine,
        precision=precision,
    )
    return RunLoop(config, load_dataset("mnist"), **options)


def batches(loop: Loop) -> Iterator[tuple[int, int]]:
    """Yield the epoch and the number in it of each full batch, epoch after epoch."""
    for epoch in count():
        for i in range(len(loop.steps.batches.labels) // loop.steps.batches.size):
            yield epoch, i


def glassnet_steps(
    hidden: tuple[int, ...],
    batch: int,
    optimizer: str,
    threads: int | None = None,
    *,
    engine: str,
    precision: str = "float32",
) -> Steps:
    """As `glassnet.train` takes them, with as many threads as `choose_threads` says unless it is told."""
    loop = glassnet_loop(hidden, batch, optimizer, threads, engine, precision)
    upcoming = batches(loop)

    def take(steps: int) -> None:
        with computing(loop.network.engine):
            for _ in range(steps):
                loop.steps.take(*next(upcoming), RATES[optimizer])

    return take


def torch_steps(
    hidden: tuple[int, ...],
    batch: int,
    optimizer: str,
    threads: int | None = None,
    *,
    fused: bool = True,
    compiled: bool = False,
    bf16: bool = False,
) -> Steps:
    """PyTorch: eager, with its fused optimizer, forward and backward compiled, or in bf16 where autocast sees fit."""
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # or its compiling processes live on beside the other contenders

    import torch
    from torch import nn

    torch.set_num_threads(threads or THREADS)
    torch.compiler.reset()  # what was compiled for another network counts against the limit of recompilations
    X, y = map(torch.from_numpy, mnist())
    sizes = (X.shape[1], *hidden, 10)
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    network = nn.Sequential(*layers[:-1])
    rule: Any = torch.optim.Adam if optimizer == "adam" else partial(torch.optim.SGD, momentum=MOMENTUM)
    rule = rule(network.parameters(), lr=RATES[optimizer], fused=fused)
    cross_entropy = nn.CrossEntropyLoss()

    def loss(X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return cross_entropy(network(X), y)

    loss = torch.compile(loss, dynamic=False) if compiled else loss

    def endless() -> Iterator[torch.Tensor]:
        while True:
            yield from torch.randperm(len(X))[: len(X) // batch * batch].split(batch)

    upcoming = endless()

    def take(steps: int) -> None:
        for _ in range(steps):
            chosen = next(upcoming)
            rule.zero_grad()
            loss(X[chosen], y[chosen]).backward()
            rule.step()

    return take


def sklearn_steps(hidden: tuple[int, ...], batch: int, optimizer: str, threads: int | None = None) -> Steps:
    """MLPClassifier.partial_fit, which is an epoch over what it is given: the check of the images belongs to it."""
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads, user_api="blas")

    X, y = mnist()
    network = MLPClassifier(
        hidden,
        solver="adam" if optimizer == "adam" else "sgd",
        alpha=0,
        batch_size=batch,
        learning_rate_init=RATES[optimizer],
        momentum=MOMENTUM,
        nesterovs_momentum=False,
    )

    def take(steps: int) -> None:
        while steps:
            now = min(steps, len(X) // batch)
            network.partial_fit(X[: now * batch], y[: now * batch], classes=np.arange(10))
            steps -= now

    return take


def one_thread_steps(hidden: tuple[int, ...], batch: int, optimizer: str, threads: int | None = None) -> Steps:
    """PyTorch with its fused optimizer and one thread, which is quicker where products are small."""
    return torch_steps(hidden, batch, optimizer, 1)


NUMPY = "glassnet, NumPy"  # its engine without the extra `fast`
BFLOAT16 = "glassnet, bfloat16"
TRAINING = {
    "glassnet": partial(glassnet_steps, engine="compiled"),
    BFLOAT16: partial(glassnet_steps, engine="compiled", precision="bfloat16"),
    NUMPY: partial(glassnet_steps, engine="numpy"),
    "eager": partial(torch_steps, fused=False),
    "fused": torch_steps,
    "fused, 1 thread": one_thread_steps,
    "compiled": partial(torch_steps, compiled=True),
    "bf16": partial(torch_steps, bf16=True),
    "bf16, compiled": partial(torch_steps, bf16=True, compiled=True),
    "scikit-learn": sklearn_steps,
}
MIXED = ("bf16", "bf16, compiled")  # PyTorch's modes in other arithmetic
FLOAT32 = ("eager", "fused", "fused, 1 thread", "compiled")  # PyTorch's modes that compute as glassnet does
