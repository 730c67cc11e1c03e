"""Write layers.json: what PyTorch computes in float64 for batch normalisation, GELU and cross-entropy.

python tests/golden/make_layers.py        needs torch; the tests do not
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional


def numbers(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return torch.tensor(rng.normal(size=shape).round(3))


def batch_norm(rng: np.random.Generator) -> dict:
    """Two batches of different sizes forward and backward while training, then one forward while predicting."""
    layer = torch.nn.BatchNorm1d(4, eps=1e-3, momentum=0.1, dtype=torch.float64)
    gamma, beta = numbers(rng, 4), numbers(rng, 4)
    layer.weight.data, layer.bias.data = gamma.clone(), beta.clone()
    batches = []
    for n in (6, 3):
        X, dY = (2 + 3 * numbers(rng, n, 4)).requires_grad_(), numbers(rng, n, 4)
        layer.zero_grad()
        Y = layer(X)
        Y.backward(dY)
        values = {"X": X, "dY": dY, "Y": Y, "dX": X.grad, "dgamma": layer.weight.grad, "dbeta": layer.bias.grad}
        values |= {"running_mean": layer.running_mean, "running_variance": layer.running_var}
        batches.append({name: value.tolist() for name, value in values.items()})
    layer.eval()
    X = numbers(rng, 2, 4)
    predicting = {"X": X.tolist(), "Y": layer(X).tolist()}
    return {"gamma": gamma.tolist(), "beta": beta.tolist(), "training": batches, "predicting": predicting}


def gelu(rng: np.random.Generator) -> dict:
    Z = (3 * numbers(rng, 4, 5)).requires_grad_()
    dA = numbers(rng, 4, 5)
    A = functional.gelu(Z, approximate="tanh")
    A.backward(dA)
    return {"Z": Z.tolist(), "dA": dA.tolist(), "A": A.tolist(), "dZ": Z.grad.tolist()}


def cross_entropy(rng: np.random.Generator) -> dict:
    """Label smoothing and class weights, each by itself: together PyTorch weights the smoothed part in its own way."""
    logits, labels = 3 * numbers(rng, 6, 4), torch.tensor([0, 3, 1, 1, 2, 3])
    class_weights = [0.5, 2.0, 1.0, 3.0]
    golden: dict = {"logits": logits.tolist(), "labels": labels.tolist(), "cases": []}
    for settings in ({}, {"label_smoothing": 0.1}, {"class_weights": class_weights}):
        Z = logits.clone().requires_grad_()
        weight = torch.tensor(settings["class_weights"]).double() if "class_weights" in settings else None
        smoothing = settings.get("label_smoothing", 0.0)
        loss = functional.cross_entropy(Z, labels, weight=weight, label_smoothing=smoothing)
        loss.backward()
        golden["cases"].append({"settings": settings, "loss": loss.item(), "dZ": Z.grad.tolist()})
    return golden


def main() -> None:
    rng = np.random.default_rng(2)
    golden = {"torch": torch.__version__}
    golden |= {"batch_norm": batch_norm(rng), "gelu": gelu(rng), "cross_entropy": cross_entropy(rng)}
    Path(__file__).with_name("layers.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
