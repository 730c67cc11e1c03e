"""Writes what version 0.1.0 left of a run that was stopped, and the model that it came to when it was resumed there.

Made once, with version 0.1.0: ``python tests/golden/make_run.py``. The network has all that a checkpoint keeps but
dropout, whose masks another version may draw otherwise.
"""

import shutil
from pathlib import Path

import glassnet
from glassnet import load_dataset, resume, train
from glassnet.training import Callback

HERE = Path(__file__).parent


class Stop(Callback):
    def on_step(self, run, loss):
        if run.state.step == 20:
            run.stop("for a test")


if __name__ == "__main__":
    assert glassnet.__version__ == "0.1.0"
    settings = {"hidden": [4], "batch_norm": True, "dropout": 0, "ema": 0.9, "l2": 0.001, "clip_norm": 1.0}
    run = train(
        load_dataset("digits"),
        "small",
        out=HERE / "run-0.1.0",
        callbacks=[Stop()],
        epochs=3,
        batch_size=100,
        rotation=0,
        threads=1,
        **settings,
    )
    whole = resume(shutil.copytree(run.path, HERE / "whole"))
    shutil.copy(whole.path / "model.safetensors", HERE / "run-0.1.0.safetensors")
    shutil.rmtree(whole.path)
