"""The runs of a site by name, their models as they are now, and the data that they learned."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock

from ..data import Dataset, Examples, needs_download
from ..errors import DataError, FileError, similar
from ..explain import images_to_explain, trained_images
from ..locks import is_held
from ..model import Model
from ..training import BUNDLED, Config, Run, open_model
from ..training.folder import CONFIG, LIVE, MODEL
from ..training.rehearsal import learned, split
from .site import Site

__all__ = ["Store", "newest_model"]

MODELS, IMAGES = 8, 4  # models, and sets of images, that stay in memory; those asked for least recently go first


class Store:
    """What there is to look at. A name that a client gives is looked up among those there are; it is never a path.

    One store serves the whole site: models and images may be used by many threads at once.

    Args:
        site: whose runs these are.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self._load = lru_cache(MODELS)(lambda path, _written: Model.load(path))
        self._images: dict[tuple[object, ...], Examples] = {}
        self._loading = Lock()

    def names(self) -> list[str]:
        """Return the names of the runs, the youngest first."""
        if not self.site.runs.is_dir():
            return []
        times: dict[str, float] = {}
        for path in self.site.runs.iterdir():
            with suppress(OSError, UnicodeEncodeError):  # no permission, just deleted, or a name that is not text
                path.name.encode()
                if not path.name.startswith(".") and (path / CONFIG).is_file():
                    times[path.name] = path.stat().st_mtime
        return sorted(times, key=lambda name: times[name], reverse=True)

    def run(self, name: str) -> Run:
        """Return a run; raise FileError where there is none of that name."""
        names = self.names()
        if name not in names:
            raise FileError(f"{name[:80]!r}: no such run{similar(name, names) if names else '; there are no runs yet'}")
        return Run(self.site.runs / name)

    def model(self, name: str | None, step: int | None = None) -> Model:
        """Return a run's model as it is now or was at a step, or the site's own where no run is named.

        While a run is watched that is the network of a moment ago; otherwise the best that it has kept.

        Raises:
            FileError: no such run, or it has no model yet, or no snapshot of this step.
            DataError: a step of no run.
        """
        if name is None and step is not None:
            raise DataError(f"step {step}: only a run has snapshots; name one with run=NAME")
        if name is None:
            place = self.site.model or BUNDLED
            path = place / MODEL if place.is_dir() else place
            return self._read(path) if path.is_file() else open_model(place)  # which says what is missing
        run = self.run(name)
        if step is not None:
            return run.model_at(step)
        newest = newest_model(run.path)
        if newest is None:
            return run.model  # which says that there is none yet
        try:
            return self._read(newest[0])
        except (FileError, OSError):
            if newest[0].exists():
                raise
            return self.model(name)  # the run has just ended and taken away the network of the moment

    def dataset(self, run: Run) -> Dataset:
        """Return the data that a run learns, which must be on this machine, and so must those that it rehearses.

        Raises:
            DataError: they are not, or are gone, or can no longer be read.
            TrainingError: they were arrays in memory.
        """
        self.refuse_download(run)
        return run.dataset()

    def refuse_download(self, run: Run) -> None:
        """Raise DataError where a run's data, or what it rehearses, would have to be downloaded first."""
        config = run.config
        for source in (config.data, *config.seen[: bool(config.rehearsal)]):
            _refuse_download(source, run.path.name)

    def validation_images(self, run: Run, model: Model) -> Examples:
        """Return a run's validation images.

        Raises:
            TrainingError, DataError: as `dataset`, or there are none, or the data have changed since.
        """
        config = run.config

        def load() -> Examples:
            dataset = self.dataset(run)
            if dataset.fingerprint != model.fingerprint:
                raise DataError(f"{run.path.name}: its data have changed since it began, so its images are not shown")
            _, held, _ = split(config, dataset)
            if not len(held):
                raise DataError("this run keeps no validation images (validation = 0) to look at its network with")
            return held

        return self._remember((model.fingerprint, "validation", *_split_key(config)), load)

    def test_images(self, model: Model, name: str) -> Examples:
        """Return the test images of the data that a model learned, which must be on this machine.

        Raises:
            DataError: they are not, or as `glassnet.explain.images_to_explain`.
        """
        _refuse_download(model.trained_on, name)
        key = model.trained_on, model.fingerprint, model.classes
        return self._remember(key, lambda: images_to_explain(model, name))

    def training_images(self, model: Model, name: str, run: Run | None, most: int) -> Examples:
        """Return up to ``most`` of the images that a model learned from, evenly spread over them.

        Args:
            model: of the run, or the site's own.
            name: what an error calls the model.
            run: whose part of the data it learned; None is all of its data's training images.
            most: how many to keep in memory.

        Raises:
            TrainingError, DataError: as `dataset`, or the data have changed since.
        """

        def load() -> Examples:
            if run is None:
                _refuse_download(model.trained_on, name)
                training = trained_images(model, name)
            else:
                dataset = self.dataset(run)
                if dataset.fingerprint != model.fingerprint:
                    raise DataError(f"{name}: its data have changed since it was trained, so its images are not shown")
                training = learned(run.config, dataset)
            return training.spread(most)

        split = run and _split_key(run.config)
        return self._remember((model.trained_on, model.fingerprint, split, most), load)

    def _read(self, path: Path) -> Model:
        """Return the model of a file, which is read again when it has been written anew."""
        return self._load(path, path.stat().st_mtime_ns)

    def _remember(self, key: tuple[object, ...], load: Callable[[], Examples]) -> Examples:
        """Return the images of a key, which stay in memory without the rest of their data."""
        with self._loading:
            images = self._images.pop(key, None)
            if images is None:
                found = load()
                images = Examples(found.images, found.labels)
            self._images[key] = images
            while len(self._images) > IMAGES:
                del self._images[next(iter(self._images))]
            return images


def newest_model(folder: Path) -> tuple[Path, int] | None:
    """Return the file of a run's network as it is now and when it was written, in ns; None before there is one.

    The network of the moment counts while the run goes: one that was killed may have left it behind.
    """
    for file in (folder / LIVE, folder / MODEL):
        with suppress(OSError):
            written = file.stat().st_mtime_ns
            if file.name == MODEL or is_held(folder) or os.name != "posix":  # elsewhere nobody can tell
                return file, written
    return None


def _split_key(config: Config) -> tuple[object, ...]:
    """Return what decides which images of its data a run trains on, and which validate it."""
    rehearsed = (config.rehearsal, config.seed, config.seen[:1]) if config.rehearsal else ()
    return config.validation, config.split_seed, *rehearsed


def _refuse_download(source: str, name: str) -> None:
    """Raise DataError where data would first have to be downloaded, which the server never does."""
    if needs_download(source):
        raise DataError(
            f"{name} was trained on {source}, whose images are not on this machine, and the server downloads nothing; "
            f"fetch them with `glassnet data {source}`, or choose a run that was trained on other data"
        )
