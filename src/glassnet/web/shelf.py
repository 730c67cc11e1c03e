"""The run folders of a site, by name, and their models as they are now."""

from contextlib import suppress
from pathlib import Path

from ..errors import FileError, nearest
from ..model import Model
from ..training import BOX, LIVE, Run, open_model
from .site import Site

__all__ = ["Shelf", "newest_model"]

MODEL = "model.safetensors"


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
        folders = [path for path in self.site.runs.iterdir() if (path / "config.toml").is_file()]
        return [path.name for path in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)]

    def run(self, name: str) -> Run:
        """Return a run; raise FileError where there is none of that name."""
        names = self.names()
        if name not in names:
            raise FileError(f"{name[:80]!r}: no such run{nearest(name, names) if names else ', and no other either'}")
        return Run(self.site.runs / name)

    def model(self, name: str | None) -> Model:
        """Return a run's model as it is now, or the site's own where no run is named.

        While a run is watched that is the network of a moment ago; otherwise the best that it has kept.

        Raises:
            FileError: no such run, or it has no model yet.
        """
        if name is None:
            place = self.site.model or BOX
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
            known = self._opened[path] = (written, Model.load(path))
        return known[1]


def newest_model(folder: Path) -> tuple[Path, int] | None:
    """Return the file of a run's network as it is now and when it was written, in ns; None before there is one."""
    for file in (folder / LIVE, folder / MODEL):
        with suppress(OSError):  # the first is there only while the run goes
            return file, file.stat().st_mtime_ns
    return None
