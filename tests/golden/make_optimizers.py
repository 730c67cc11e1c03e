"""Write optimizers.json: the path of each of PyTorch's optimizers through a small least-squares problem, in float64.

python tests/golden/make_optimizers.py        needs torch; the tests do not

The problem is L(w, b) = mean (X w + b - y)², X (7, 5). The learning rate changes at every step, and ε is large in one
case each of RMSprop and Adam, so that where they stand in the equation makes a difference. AdamW decays w but not b.
"""

import json
from pathlib import Path

import numpy as np
import torch

STEPS = 30
CASES = {
    "sgd": ("sgd", {}, 0.1),
    "momentum": ("momentum", {"momentum": 0.9}, 0.05),
    "nesterov": ("nesterov", {"momentum": 0.8}, 0.05),
    "rmsprop": ("rmsprop", {"decay": 0.99, "epsilon": 1e-8}, 0.02),
    "rmsprop, large epsilon": ("rmsprop", {"decay": 0.9, "epsilon": 0.1}, 0.05),
    "adam": ("adam", {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}, 0.1),
    "adam, large epsilon": ("adam", {"beta1": 0.8, "beta2": 0.95, "epsilon": 0.1}, 0.1),
    "adamw": ("adamw", {"weight_decay": 0.3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}, 0.1),
}


def torch_optimizer(rule: str, settings: dict, w: torch.Tensor, b: torch.Tensor) -> torch.optim.Optimizer:
    if rule in ("sgd", "momentum", "nesterov"):
        return torch.optim.SGD([w, b], lr=1.0, momentum=settings.get("momentum", 0.0), nesterov=rule == "nesterov")
    if rule == "rmsprop":
        return torch.optim.RMSprop([w, b], alpha=settings["decay"], eps=settings["epsilon"])
    options = {"betas": (settings["beta1"], settings["beta2"]), "eps": settings["epsilon"]}
    if rule == "adam":
        return torch.optim.Adam([w, b], **options)
    groups = [{"params": [w], "weight_decay": settings["weight_decay"]}, {"params": [b], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, **options)


def trajectory(rule: str, settings: dict, rates: list[float], X: np.ndarray, y: np.ndarray) -> list[list[float]]:
    w = torch.zeros(X.shape[1], dtype=torch.float64, requires_grad=True)
    b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch_optimizer(rule, settings, w, b)
    path = []
    for rate in rates:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        ((torch.tensor(X) @ w + b - torch.tensor(y)) ** 2).mean().backward()
        optimizer.step()
        path.append([*w.tolist(), *b.tolist()])
    return path


def main() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(7, 5)).round(3), rng.normal(size=7).round(3)
    cases = []
    for name, (rule, settings, peak) in CASES.items():
        rates = [peak * 0.97**step for step in range(STEPS)]
        path = trajectory(rule, settings, rates, X, y)
        cases.append({"name": name, "rule": rule, "settings": settings, "learning_rates": rates, "path": path})
    golden = {"torch": torch.__version__, "X": X.tolist(), "y": y.tolist(), "cases": cases}
    Path(__file__).with_name("optimizers.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
