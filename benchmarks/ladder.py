"""Seconds to accuracy: five recipes, each a rung of a ladder, trained by glassnet and by PyTorch in turns.

PyTorch trains the same network on the same images with the same rule, schedule, batches and distortions, in its usual
form: eager, fused Adam, all images in memory as float32, distorted by grid_sample. Both use all cores. What is counted
are the seconds of training steps; the rungs were chosen on validation images, and the 10,000 test images are read once
a run, at its end.

    python benchmarks/ladder.py [SEEDS]     about ten minutes
"""

import json
import subprocess
import sys
import tempfile
from itertools import pairwise
from math import ceil
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

import numpy as np

from contenders import THREADS
from glassnet import evaluate, load_dataset, train
from machine import describe_machine, save_result

COMMON: dict[str, Any] = {"optimizer": "adam", "schedule": "one_cycle", "batch_norm": True, "batch_size": 256}
DISTORTED: dict[str, Any] = {"label_smoothing": 0.02, "rotation": 10.0, "zoom": 0.1, "shear": 0.1}
RUNGS: dict[str, dict[str, Any]] = {
    "97": {"hidden": [96], "epochs": 2, "learning_rate": 0.02, "batch_norm": False},
    "98": {"hidden": [192, 64], "epochs": 3, "learning_rate": 0.015},
    "98.5": {
        "hidden": [320, 96, 64],
        "epochs": 4,
        "learning_rate": 0.012,
        "batch_size": 320,
        "label_smoothing": 0.05,
    },
    "98.8": DISTORTED | {"hidden": [384, 192], "epochs": 5, "learning_rate": 0.008, "shift": 1.5},
    "99": DISTORTED | {"hidden": [480, 192], "epochs": 9, "learning_rate": 0.006, "shift": 1.0},
}
ENGINE = {"engine": "compiled"}  # which `auto` would not take for the shortest of them
AMOUNTS = ("rotation", "zoom", "shear", "shift")


def with_glassnet(settings: dict[str, Any], seed: int) -> tuple[float, float]:
    """Return the seconds of training and the test accuracy."""
    mnist = load_dataset("mnist")
    with tempfile.TemporaryDirectory() as folder:
        run = train(
            mnist, "fast", out=Path(folder) / "run", seed=seed, monitor="validation_accuracy", **ENGINE, **settings
        )
        return run.history[-1]["seconds"], evaluate(run.model, mnist.test).accuracy


def with_torch(settings: dict[str, Any], seed: int) -> tuple[float, float]:
    """The same in PyTorch; its last epoch is its model, which costs it no accuracy under one-cycle."""
    import torch
    from torch import nn
    from torch.nn.functional import affine_grid, grid_sample

    torch.set_num_threads(THREADS)
    torch.manual_seed(seed)
    mnist = load_dataset("mnist")
    learned, _ = mnist.split(0.1, seed)
    X = torch.from_numpy(learned.images / np.float32(255)).unsqueeze(1)  # (n, 1, h, w)
    y, size = torch.from_numpy(learned.labels), X.shape[-1]
    layers: list[nn.Module] = [nn.Flatten()]
    for a, b in pairwise((size * size, *settings["hidden"])):
        layers += [nn.Linear(a, b), *([nn.BatchNorm1d(b)] if settings["batch_norm"] else []), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Linear(settings["hidden"][-1], 10))
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    batch, peak = settings["batch_size"], settings["learning_rate"]
    rule = torch.optim.Adam(network.parameters(), lr=peak, fused=True)
    steps = settings["epochs"] * ceil(len(X) / batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(rule, peak, steps, cycle_momentum=False, final_div_factor=400)
    cross_entropy = nn.CrossEntropyLoss(label_smoothing=settings.get("label_smoothing", 0.0))
    rotation, zoom, shear, shift = (settings.get(name, 0.0) for name in AMOUNTS)

    def distort(images: torch.Tensor) -> torch.Tensor:
        amounts = torch.empty(5, len(images)).uniform_(-1, 1)
        angle, larger, slant = torch.deg2rad(rotation * amounts[0]), 1 + zoom * amounts[1], shear * amounts[2]
        cos, sin, move = torch.cos(angle), torch.sin(angle), amounts[3:] * shift * 2 / size
        across = [cos / larger, (slant * cos - sin) / larger, move[0]]
        down = [sin / larger, (slant * sin + cos) / larger, move[1]]
        matrices = torch.stack([*across, *down], dim=1).view(-1, 2, 3)
        return grid_sample(images, affine_grid(matrices, list(images.shape), align_corners=False), align_corners=False)

    start = perf_counter()
    for _ in range(settings["epochs"]):
        for chosen in torch.randperm(len(X)).split(batch):
            images = X[chosen]
            if any((rotation, zoom, shear, shift)):
                images = distort(images)
            rule.zero_grad()
            cross_entropy(network(images), y[chosen]).backward()
            rule.step()
            schedule.step()
    seconds = perf_counter() - start
    network.eval()
    with torch.inference_mode():
        said = network(torch.from_numpy(mnist.test.images / np.float32(255))).argmax(dim=1).numpy()
    return seconds, float(np.mean(said == mnist.test.labels))


CONTENDERS = {"glassnet": with_glassnet, "torch": with_torch}


def run_apart(name: str, rung: str, seed: int) -> dict[str, float]:
    """Have it run by a process of its own, as each contender has its own threads."""
    command = [sys.executable, __file__, "one", name, rung, str(seed)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result: dict[str, float] = json.loads(output.splitlines()[-1])
    return result


def main(seeds: int = 5) -> None:
    rungs: dict[str, Any] = {}
    for rung in RUNGS:
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
        for seed in range(seeds):
            for name in list(CONTENDERS)[:: 1 if seed % 2 else -1]:
                runs[name].append(run_apart(name, rung, seed))
        rungs[rung] = {"settings": COMMON | RUNGS[rung], "runs": runs}
        for name, rows in runs.items():
            accuracy, seconds = ([row[key] for row in rows] for key in ("accuracy", "seconds"))
            print(f"{rung} {name}: {100 * mean(accuracy):.2f} % in {median(seconds):.2f} s", flush=True)
    machine = describe_machine("numpy", "torch", "glassnet")
    save_result("ladder", {"machine": machine, "threads": THREADS, "seeds": seeds, "rungs": rungs})


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        contender, rung, seed = sys.argv[2:]
        seconds, accuracy = CONTENDERS[contender](COMMON | RUNGS[rung], int(seed))
        print(json.dumps({"seconds": seconds, "accuracy": accuracy}))
    else:
        main(*map(int, sys.argv[1:]))
