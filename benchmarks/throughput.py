"""Seconds an epoch of 60,000 images on 784-128-64-10 with Adam, batch 128, float32: glassnet beside PyTorch eager.

Each trial is a process of its own, so that neither library's threads disturb the other's, and the trials of both take
turns, so that a noisy machine disturbs both alike. PyTorch gets its images as float32 tensors, already scaled; glassnet
keeps them as bytes and scales each batch. PyTorch is measured with one thread and with all, and its better one counts.

    python benchmarks/throughput.py
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter

from machine import describe_machine, save_result

TRIALS = 7
EPOCHS = 4  # of which the first warms up
HIDDEN, BATCH, LEARNING_RATE = (128, 64), 128, 0.001


def glassnet_epoch() -> float:
    from glassnet import load_dataset, train

    with tempfile.TemporaryDirectory() as folder:
        run = train(
            load_dataset("mnist"),
            out=Path(folder) / "run",
            hidden=HIDDEN,
            batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            schedule="constant",
            epochs=EPOCHS,
            validation=0,
        )
        seconds = [row["seconds"] for row in run.history]
    return median(b - a for a, b in pairwise(seconds))


def torch_epoch(threads: int) -> float:
    import torch
    from torch import nn

    from glassnet import load_dataset

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    train = load_dataset("mnist").train
    X = torch.from_numpy(train.images.reshape(len(train), -1)).float() / 255
    y = torch.from_numpy(train.labels)
    sizes = (X.shape[1], *HIDDEN)
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    network = nn.Sequential(*layers, nn.Linear(HIDDEN[-1], 10))
    loss, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    seconds = []
    for _ in range(EPOCHS):
        start = perf_counter()
        for chosen in torch.randperm(len(X)).split(BATCH):
            optimizer.zero_grad()
            loss(network(X[chosen]), y[chosen]).backward()
            optimizer.step()
        seconds.append(perf_counter() - start)
    return median(seconds[1:])


CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
CONTENDERS = {"glassnet": glassnet_epoch} | {
    f"torch-{threads}": partial(torch_epoch, threads) for threads in sorted({1, CORES})
}


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for trial in range(TRIALS):
        for name in CONTENDERS:
            done = subprocess.run([sys.executable, __file__, name], capture_output=True, check=True, text=True)
            seconds[name].append(json.loads(done.stdout.splitlines()[-1]))
        print(f"trial {trial + 1}", *(f"{name} {values[-1]:.3f} s" for name, values in seconds.items()), flush=True)
    peer = min((name for name in CONTENDERS if name != "glassnet"), key=lambda name: median(seconds[name]))
    ratios = [a / b for a, b in zip(seconds[peer], seconds["glassnet"], strict=True)]
    print(f"glassnet is {median(ratios):.2f} × {peer} (from {min(ratios):.2f} to {max(ratios):.2f})")
    save_result(
        "throughput",
        {
            "machine": describe_machine("numpy", "torch", "glassnet"),
            "trials": TRIALS,
            "seconds": seconds,
            "peer": peer,
            "ratios": ratios,
        },
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(CONTENDERS[sys.argv[1]]()))
    else:
        main()
