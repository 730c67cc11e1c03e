"""What a run trains, in a few lines that are printed before its first epoch."""

from textwrap import fill

from ..data import Preprocessing
from .architecture import network_words
from .callbacks import RunUnderWay
from .config import DEFAULT_LEARNING_RATES, Config
from .recipe import recipe_names

__all__ = ["summary"]

WIDTH = 80
INDENT = 10  # characters, for the name of a line
NO_BREAK = "\N{NO-BREAK SPACE}"


def summary(run: RunUnderWay) -> str:
    """Return the data, the network, how it is trained and what computes, wrapped at 80 columns."""
    config = run.config
    engine = run.batches.engine
    threads = f"{engine.threads} thread" + "s" * (engine.threads != 1)
    lines = {
        "data": [
            config.data or "arrays",
            f"{len(run.batches.labels):,} training images" + (f" ({run.mixture})" if run.mixture else ""),
            f"{len(run.validation):,} validation images",
            *(["dark on light"] if run.model.preprocessing.dark_on_light else []),
        ],
        "augment": _augmentation(config),
        "network": [
            *network_words(config, run.model.image_shape, len(run.model.classes)),
            f"{run.network.parameters.size:,} parameters",
            *_layers(config),
        ],
        "training": _optimization(config),
        "engine": [engine.name, config.precision + " (emulated)" * engine.emulated, threads],
    }
    return "\n".join([_wrapped(name, parts) for name, parts in lines.items()] + _notes(config, run.model.preprocessing))


def _notes(config: Config, form: Preprocessing) -> list[str]:
    """Say what a person would want to know before a long run."""
    notes = _changed(config) if config.recipe in recipe_names() else []
    if form.dark_on_light and config.scaling == "unit":
        notes.append("the images are dark on light, which scaling standard suits better than unit")
    return [fill(note, WIDTH, initial_indent=f"{'note':<{INDENT}}", subsequent_indent=" " * INDENT) for note in notes]


def _changed(config: Config) -> list[str]:
    """Return what a setting has changed of its recipe beside itself."""
    recipe = Config.resolve(config.recipe)
    notes = []
    usual = DEFAULT_LEARNING_RATES[config.optimizer]
    if config.optimizer != recipe.optimizer and config.learning_rate == usual != recipe.learning_rate:
        notes.append(
            f"{config.optimizer} comes with its own learning rate, {usual:g}; that of {config.recipe}, "
            f"{recipe.learning_rate:g}, was for {recipe.optimizer}"
        )
    if config.optimizer != recipe.optimizer and recipe.weight_decay and not config.weight_decay:
        notes.append(f"the weight decay of {config.recipe} belongs to {recipe.optimizer}, and is off")
    off = ["batch normalisation"] * (recipe.batch_norm and not config.batch_norm)
    off += ["augmentation"] * (recipe.augmentation is not None and config.augmentation is None)
    off += ["adversarial training"] * (config.batch_size == "all" and recipe.adversarial > 0)
    if off and config.batch_size in ("all", 1):
        notes.append(f"batch size {config.batch_size} turns the {' and '.join(off)} of {config.recipe} off")
    return notes


def _wrapped(name: str, parts: list[str]) -> str:
    """Return a named line that breaks only between its parts."""
    unbroken = ", ".join(part.replace(" ", NO_BREAK) for part in parts)
    lines = fill(
        unbroken,
        WIDTH,
        initial_indent=f"{name:<{INDENT}}",
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace(NO_BREAK, " ")


def _augmentation(config: Config) -> list[str]:
    return str(config.augmentation or "off").split(", ")


def _layers(config: Config) -> list[str]:
    """Describe what stands between the layers of weights."""
    if not config.entries:
        return ["no hidden layers"]
    return [
        *(["batch normalisation"] if config.batch_norm else []),
        "/".join(config.activation),
        *([f"dropout {config.dropout:g}"] if config.dropout else []),
    ]


def _optimization(config: Config) -> list[str]:
    """Describe how the weights are learned; what is off is left out."""
    images = "all images per step" if config.batch_size == "all" else f"batch size {config.batch_size}"
    momentum = config.optimizer in ("momentum", "nesterov")
    extras = {
        f"momentum {config.momentum:g}": momentum,
        f"weight decay {config.weight_decay:g}": config.weight_decay,
        f"L2 {config.l2:g}": config.l2,
        f"gradient norm at most {config.clip_norm or 0:g}": config.clip_norm,
        f"EMA {config.ema:g}": config.ema,
        f"label smoothing {config.label_smoothing:g}": config.label_smoothing,
        f"adversarial {config.adversarial:g}": config.adversarial,
        "balanced class weights": config.class_weight == "balanced",
        f"warm-up {config.warmup_epochs:g} epochs": config.warmup_epochs,
    }
    return [
        config.optimizer,
        f"learning rate {config.learning_rate:g}",
        f"schedule {config.schedule}",
        *(words for words, on in extras.items() if on),
        images,
        f"{config.epochs:,} epoch" + "s" * (config.epochs != 1),
        f"seed {config.seed}",
    ]
