"""How good each recipe is on MNIST, and how long it trains: a mean over seeds.

The best epoch of each run is chosen on validation images; the 10,000 test images are read once a run, at the end, and
once by all of a recipe's runs together, as an ensemble. For the embedded digits the small recipe is measured on the
fifth of them that is kept aside.

    python benchmarks/accuracy.py [RECIPE …]     half an hour, nearly all of it for `best`, `adversarial` and `conv`
    python benchmarks/accuracy.py record         a quarter of an hour for each of three seeds, in bfloat16
"""

import sys
import tempfile
from pathlib import Path
from time import perf_counter

from glassnet import Model, evaluate, load_dataset, train
from machine import RESULTS, describe_machine, load_result, save_result, spread

SEEDS = {"best": 3, "adversarial": 3, "record": 3}  # they take minutes; of the others there are five
BFLOAT16 = {"precision": "bfloat16"}
SETTINGS = {"record": BFLOAT16, "adversarial": BFLOAT16 | {"all_data": True}}  # what is asked for beside the recipe
RECIPES = dict.fromkeys(("fast", "default", "best", "adversarial", "conv-fast", "conv"), "mnist") | {"small": "digits"}


def measure(recipe: str, data: str) -> dict[str, object]:
    dataset = load_dataset(data)
    rows: dict[str, list[float]] = {"test_accuracy": [], "validation_accuracy": [], "seconds": [], "wall_seconds": []}
    seeds, settings = SEEDS.get(recipe, 5), SETTINGS.get(recipe, {})
    models = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            start = perf_counter()
            run = train(dataset, recipe, out=Path(folder) / "run", seed=seed, **settings)
            rows["wall_seconds"].append(perf_counter() - start)
            rows["seconds"].append(run.history[-1]["seconds"])
            found = [row["validation_accuracy"] for row in run.history if row["validation_accuracy"] is not None]
            rows["validation_accuracy"] += [100 * max(found)] if found else []
            rows["test_accuracy"].append(100 * evaluate(run.model, dataset.test).accuracy)
            models.append(run.model)
    together = 100 * evaluate(Model.join(models), dataset.test).accuracy
    shown = (f"{name} {spread(values)}" for name, values in rows.items() if values)
    print(f"{recipe:<11} {data:<7}", *shown, sep="  ", flush=True)
    print(f"  as an ensemble {together:.2f}", flush=True)
    machine = describe_machine("numpy", "glassnet")
    known = {"data": data, "settings": settings, "trials": seeds, "machine": machine}
    return {**known, **rows, "ensemble_accuracy": together}


if __name__ == "__main__":
    chosen = sys.argv[1:] or list(RECIPES)
    result = load_result("accuracy") if (RESULTS / "accuracy.json").exists() else {"recipes": {}}
    for name in chosen:
        result["recipes"][name] = measure(name, RECIPES.get(name, "mnist"))
        save_result("accuracy", result)
