"""What is done before the clock of a run starts."""

import numpy as np

from ..clinic import PlantedLoss
from ..data import load_dataset
from ..engines import computing
from ..nn import Engine
from ..nn.optimizers import FLUSH_EVERY
from .architecture import tiny_entry
from .config import Config
from .validation import validate

__all__ = ["warm_up"]

SIDE = 4  # pixels


def warm_up(config: Config, engine: Engine) -> None:
    """Take a step with a tiny network of a run's kind.

    Then the compiled code that the run will need is loaded, or where it is not on the disk compiled, which would
    otherwise count as training time. With NumPy there is nothing to wait for.
    """
    if engine.name != "compiled":
        return
    from .run_loop import RunLoop  # which calls this

    tiny = {
        "hidden": (2,) * len(config.hidden),
        "layers": tuple(map(tiny_entry, config.layers)),
        "batch_size": 1 if config.batch_size == 1 else 4,
        "validation": 0,
        "rehearsal": 0.0,  # of noise there is nothing to remember
        "epochs": 1,
        "threads": 1,
        "engine": engine.name,
    }
    rng = np.random.default_rng(0)
    dataset = load_dataset((rng.integers(0, 256, (10, SIDE, SIDE), np.uint8), np.arange(10) % 2))
    loop = RunLoop(config.model_copy(update=tiny | {"mistakes": (), "patience": None}), dataset)
    with computing(loop.network.engine):
        loop.optimizer.steps = FLUSH_EVERY - 1  # so that this step does all that any step does
        loop.steps.take(0, 0, config.learning_rate)
        if config.mistakes and loop.steps.one_by_one:  # of which some take a loss of their own
            loop.steps.one_by_one.loss = PlantedLoss(len(dataset.classes))
            loop.steps.take(0, 1, config.learning_rate)
        loop.network.engine.half(loop.network.parameters, np.empty(loop.network.parameters.size, np.float16))
        validate(loop.model, loop.batches.examples)
