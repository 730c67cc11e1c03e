"""``glassnet data``, ``glassnet recipes`` and ``glassnet info``."""

import os
import platform
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..data import Dataset, Preprocessing, cache_folder, card, load_dataset
from ..engines import ENGINES, why_not_compiled
from ..errors import DataError
from ..training import Config, Run, available_threads, measured_threads, recipe_names, recipe_summary, recipe_text
from ..training.folder import SNAPSHOTS
from .flags import Source
from .output import draw_images, percent, print_definitions, print_facts, print_json, print_table, printable, shortened

__all__ = ["data", "info", "recipes", "show"]


def data(source: Source = "digits", /, *, classes: int = 10, image: int | None = None, json: bool = False) -> None:
    """Show what is in a data set.

    Parameters
    ----------
    source
        As for `glassnet train`.
    classes
        As for `glassnet train`.
    image
        Draw the training image with this index, from 0, with its label.
    json
        Print the numbers as JSON.
    """
    dataset = load_dataset(source, classes=classes)
    if image is not None:
        _show_image(dataset, image, json)
        return
    counts = {
        name: {"train": int(np.sum(dataset.train.labels == i)), "test": int(np.sum(dataset.test.labels == i))}
        for i, name in enumerate(dataset.classes)
    }
    height, width = dataset.image_shape
    about = card(dataset.source)
    if json:
        print_json(
            {
                "name": dataset.name,
                "card": about._asdict() if about else None,
                "source": dataset.source,
                "height": height,
                "width": width,
                "train": len(dataset.train),
                "test": len(dataset.test),
                "unlabelled": len(dataset.unlabelled),
                "official_test": dataset.official_test,
                "classes": counts,
                "fingerprint": dataset.fingerprint,
            }
        )
        return
    facts = {
        "data": dataset.source or dataset.name,
        "images": f"{height}×{width} pixels" + _form(dataset),
        "training": f"{len(dataset.train):,}",
        "test": f"{len(dataset.test):,}"
        + ("" if dataset.official_test or not len(dataset.test) else " (a fifth, held out here, always the same)"),
    }
    if len(dataset.unlabelled):
        facts["unlabelled"] = f"{len(dataset.unlabelled):,}"
    print_facts(facts)
    print()
    if about:
        print_definitions(about._asdict())
        print()
    rows = [[shortened(name), c["train"], c["test"]] for name, c in counts.items()]
    print_table(["class", "training", "test"], rows)
    _, first = np.unique(dataset.train.labels, return_index=True)
    images = dataset.train.images_at(first[:10])
    print()
    draw_images(list(images if len(images) else dataset.unlabelled[:10]))


def _form(dataset: Dataset) -> str:
    """Say what is unusual in the images: a scale of their own, and dark digits on a light ground."""
    scale = f", 0 to {dataset.maximum} stretched to 255" if dataset.maximum not in (1, 255) else ""
    dark = len(dataset.train) > 0 and Preprocessing.fit(dataset.train, "none").dark_on_light
    return scale + ", dark on light" * dark


def recipes(name: str | None = None, /, *, json: bool = False) -> None:
    """List the recipes, or print one as TOML.

    Parameters
    ----------
    name
        The recipe to print, or a TOML file, of which all settings that differ from the defaults are printed. Save the
        output, edit it, and train with --recipe FILE.
    json
        Print one recipe or all of them as JSON, with every setting.
    """
    if json:
        names = recipe_names() if name is None else [name]
        print_json({recipe: Config.resolve(recipe).model_dump() for recipe in names})
        return
    if name is not None:
        print(recipe_text(name) if name in recipe_names() else Config.resolve(name).to_recipe(), end="")
        return
    print_definitions({recipe: recipe_summary(recipe) for recipe in recipe_names()})


def show(run: Path, /, *, json: bool = False) -> None:
    """Show all settings of a run, and how far it is.

    A star marks the settings that differ from those of its recipe, if that comes with glassnet.

    Parameters
    ----------
    run
        Run folder.
    json
        Print them as JSON.
    """
    opened = Run(run)
    config, rows, steps = opened.config, opened.history, opened.snapshots
    state = "finished" if opened.finished else "broken by a planted mistake" if opened.broken else "not finished"
    if json:
        print_json(
            {"run": str(run), "state": state, "rows": len(rows), "best": opened.best if rows else None}
            | {"snapshots": steps, "settings": config.model_dump()}
        )
        return
    best = opened.best["validation_accuracy"] if rows else None
    kept = f"{len(steps)}, from step {steps[0]} to {steps[-1]}: RUN/{SNAPSHOTS}/STEP.safetensors" if steps else "none"
    facts = {"run": run, "state": state, "recipe": config.recipe, "snapshots": kept}
    print_facts(facts | ({"validation": percent(best)} if best else {}))
    print()
    known = config.recipe in recipe_names()
    recipe = Config.resolve(config.recipe) if known else config
    skipped = {"recipe", "first_seed", "ensemble_size", "classes", "data", "seen"}
    names = [name for name in Config.model_fields if name not in skipped]
    values = {name: getattr(config, name) for name in names}
    print_facts(
        {"data": config.data or "arrays", "classes": f"{len(config.classes)}: {' '.join(config.classes)[:60]}"}
        | {name: _setting(value) + " *" * (value != getattr(recipe, name)) for name, value in values.items()}
    )


def _setting(value: Any) -> str:
    """Return a setting as it would be typed, and a dash where it is not set."""
    text = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return "–" if value is None or not text else text.lower() if isinstance(value, bool) else text


def info(*, json: bool = False) -> None:
    """Show the versions, processors and folders that glassnet uses.

    Parameters
    ----------
    json
        Print it as JSON.
    """
    from threadpoolctl import threadpool_info

    blas: dict[str, object] = next((pool for pool in threadpool_info() if pool["user_api"] == "blas"), {})
    facts = {
        "glassnet": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "BLAS": " ".join(str(blas[key]) for key in ("internal_api", "version", "architecture") if blas.get(key)),
        "engines": ", ".join(name for name in ENGINES if name != "compiled" or not why_not_compiled()),
        "compiled": _compiled(),
        "processors": available_threads(),
        "threads": f"up to {available_threads()}, by the size of a run or as measured; --threads overrides",
        "GLASSNET_DATA": os.environ.get("GLASSNET_DATA", "not set"),
        "cache": str(cache_folder()),
    }
    measured = measured_threads()
    if json:
        print_json(facts | {"measured threads": measured})
        return
    print_facts(facts)
    if measured:
        print("\nthreads that were measured to be the fastest, by the kind of run:")
        for kind, threads in measured.items():
            print(textwrap.fill(kind, 80, initial_indent=f"{threads:4}  ", subsequent_indent=" " * 6))


def _compiled() -> str:
    """Say what the compiled engine consists of, or why there is none."""
    if reason := why_not_compiled():
        return f"no: {reason}"
    import numba

    from ..engines.bfloat16 import how
    from ..engines.blas import find_blas

    return f"numba {numba.__version__}, {find_blas().name}, bfloat16 {how()}"


def _show_image(dataset: Dataset, number: int, json: bool) -> None:
    """Draw one training image with its label; raise DataError if there is no image of that index."""
    count = len(dataset.train)
    if not 0 <= number < count:
        has = f"has training images 0 to {count - 1:,}" if count else "has no training images"
        raise DataError(f"--image {number}: {dataset.source or dataset.name} {has}")
    pixels, label = dataset.train.images_at(np.array([number]))[0], dataset.classes[dataset.train.labels[number]]
    if json:
        print_json({"image": number, "label": label, "pixels": pixels.tolist()})
        return
    print(printable(f"training image {number:,} of {count:,}, label {label}\n"))
    draw_images([pixels], min(max(2 * dataset.image_shape[1], 14), 56))
