"""The run folders of a site, by name, and their models as they are now."""

import os
from contextlib import suppress
from pathlib import Path

from ..data import Dataset, mnist_is_here
from ..errors import DataError, FileError, nearest
from ..files import is_held
from ..model import Model
from ..training import BUNDLED, Run, open_model
from ..training.folder import CONFIG, LIVE, MODEL
from .site import Site

__all__ = ["Shelf", "newest_model"]

DOWNLOADED = ("openml", "mnist_784")  # nobody can tell whether these are here
KEPT = 8  # models that stay open, those asked for first go first


class Shelf:
    """What there is to look at. A name that a client gives is looked up among those there are; it is never a path.

    Args:
        site: whose runs these are.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self._opened: dict[Path, tuple[int, Model]] = {}  # with the time at which the file was written

    def names(self) -> list[str]:
        """Return the names of the runs, the youngest first."""
        if not self.site.runs.is_dir():
            return []
        times: dict[str, float] = {}
        for path in self.site.runs.iterdir():
            with suppress(OSError, UnicodeEncodeError):  # it is closed to us, is just going, or has no name in text
                path.name.encode()
                if (path / CONFIG).is_file():
                    times[path.name] = path.stat().st_mtime
        return sorted(times, key=lambda name: times[name], reverse=True)

    def run(self, name: str) -> Run:
        """Return a run; raise FileError where there is none of that name."""
        names = self.names()
        if name not in names:
            raise FileError(f"{name[:80]!r}: no such run{nearest(name, names) if names else ', and no other either'}")
        return Run(self.site.runs / name)

    def dataset(self, run: Run) -> Dataset:
        """Return the data that a run learns, which must be on this machine: the page downloads nothing.

        Raises:
            DataError: it is not, or is gone, or can no longer be read.
            TrainingError: it was arrays in memory.
        """
        source = run.config.data
        if source in DOWNLOADED or (source == "mnist" and not mnist_is_here()):
            raise DataError(
                f"{run.path.name} learned {source}, whose images are not on this machine, and the page downloads "
                f"nothing; `glassnet evaluate {run.path}` fetches them"
            )
        return run.dataset()

    def model(self, name: str | None) -> Model:
        """Return a run's model as it is now, or the site's own where no run is named.

        While a run is watched that is the network of a moment ago; otherwise the best that it has kept.

        Raises:
            FileError: no such run, or it has no model yet.
        """
        if name is None:
            place = self.site.model or BUNDLED
            path = place / MODEL if place.is_dir() else place
            return self._read(path) if path.is_file() else open_model(place)  # which says what is missing
        run = self.run(name)
        newest = newest_model(run.path)
        if newest is None:
            return run.model  # which says that there is none yet
        try:
            return self._read(newest[0])
        except (FileError, OSError):
            if newest[0].exists():
                raise
            return self.model(name)  # the run has just ended and taken away the network of the moment

    def _read(self, path: Path) -> Model:
        """Return the model of a file, which is read again when it has been written anew."""
        written = path.stat().st_mtime_ns
        known = self._opened.get(path)
        if known is None or known[0] != written:
            known = (written, Model.load(path))
            with suppress(KeyError, StopIteration):  # other threads open and forget models too
                while len(self._opened) >= KEPT:
                    del self._opened[next(iter(self._opened))]
            self._opened[path] = known
        return known[1]


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
