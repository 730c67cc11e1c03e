"""Write convolution.json: what PyTorch computes in float64 for convolutions and pools, and a small network's steps.

python tests/golden/make_convolution.py        needs torch; the tests do not

PyTorch has channels first, (n, c, h, w) and filters (filters, c, kh, kw); everything is written with channels last.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

RATES = {"sgd": 0.1, "adam": 0.01}


def numbers(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return torch.tensor(rng.normal(size=shape).round(3))


def last(images: torch.Tensor) -> list:
    return images.detach().permute(0, 2, 3, 1).tolist()


def filters_last(W: torch.Tensor) -> list:
    return W.detach().permute(2, 3, 1, 0).tolist()


def convolution(rng: np.random.Generator, name: str, size: tuple[int, int], stride: int, padding: int | str) -> dict:
    X, W, b = numbers(rng, 2, 2, 7, 6).requires_grad_(), numbers(rng, 3, 2, *size), numbers(rng, 3)
    W.requires_grad_()
    b.requires_grad_()
    Y = functional.conv2d(X, W, b, stride=stride, padding=padding)
    dY = numbers(rng, *Y.shape)
    Y.backward(dY)
    settings = {"filters": 3, "size": list(size), "stride": stride, "padding": padding}
    parameters = {"W": filters_last(W), "b": b.tolist(), "dW": filters_last(W.grad), "db": b.grad.tolist()}
    case = {"name": name, "layer": "Conv2D", "settings": settings, "X": last(X), "dY": last(dY)}
    return case | parameters | {"Y": last(Y), "dX": last(X.grad)}


def pool(rng: np.random.Generator, name: str, layer: str, size: int, stride: int) -> dict:
    X = torch.tensor(rng.integers(0, 4, (2, 2, 7, 6)).astype(float)).requires_grad_()  # many are equal
    Y = (functional.max_pool2d if layer == "MaxPool2D" else functional.avg_pool2d)(X, size, stride)
    dY = numbers(rng, *Y.shape)
    Y.backward(dY)
    settings = {"size": size, "stride": stride}
    case = {"name": name, "layer": layer, "settings": settings, "X": last(X), "dY": last(dY)}
    return case | {"Y": last(Y), "dX": last(X.grad)}


class Flatten(nn.Module):
    """As rows by columns by channels."""

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return X.permute(0, 2, 3, 1).flatten(1)


def parameters(network: nn.Sequential) -> dict:
    first, norm, second, dense = network[0], network[1], network[4], network[7]
    tensors = {"0.W": filters_last(first.weight), "0.b": first.bias.tolist()}
    tensors |= {"1.gamma": norm.weight.tolist(), "1.beta": norm.bias.tolist()}
    tensors |= {"4.W": filters_last(second.weight), "4.b": second.bias.tolist()}
    return tensors | {"7.W": dense.weight.T.tolist(), "7.b": dense.bias.tolist()}


def trajectory(rng: np.random.Generator) -> dict:
    """Some steps of a network with everything in it, from the same start by each optimizer."""
    batches = [(numbers(rng, 4, 2, 7, 6), torch.tensor(rng.integers(0, 3, 4))) for _ in range(6)]
    golden: dict = {"rates": RATES, "losses": {}, "after": {}}
    golden["batches"] = [{"X": last(X), "y": y.tolist()} for X, y in batches]
    for name, rate in RATES.items():
        torch.manual_seed(0)
        layers = [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3, padding="same")]
        network = nn.Sequential(*layers, nn.ReLU(), Flatten(), nn.Linear(20, 3)).double()
        golden["parameters"] = parameters(network)
        kind = torch.optim.SGD if name == "sgd" else torch.optim.Adam
        optimizer, losses = kind(network.parameters(), lr=rate), []
        for X, y in batches:
            optimizer.zero_grad()
            loss = functional.cross_entropy(network(X), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        golden["losses"][name], golden["after"][name] = losses, parameters(network)
    return golden


def main() -> None:
    rng = np.random.default_rng(3)
    layers = [
        convolution(rng, "valid", (3, 3), 1, "valid"),
        convolution(rng, "same", (3, 3), 1, "same"),
        convolution(rng, "same, an even window", (2, 4), 1, "same"),
        convolution(rng, "stride 2, padding 1", (3, 3), 2, 1),
        convolution(rng, "stride 3, padding 2", (2, 5), 3, 2),
        pool(rng, "max", "MaxPool2D", 2, 2),
        pool(rng, "max, overlapping", "MaxPool2D", 3, 2),
        pool(rng, "average", "AveragePool2D", 2, 2),
        pool(rng, "average, overlapping", "AveragePool2D", 3, 1),
    ]
    golden = {"torch": torch.__version__, "layers": layers, "trajectory": trajectory(rng)}
    Path(__file__).with_name("convolution.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
