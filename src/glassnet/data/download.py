"""Files from the network into the cache, each checked by its sum."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ..errors import DataError

__all__ = ["downloaded"]

LARGEST = 2**30  # bytes: EMNIST's archive has 560 million


def downloaded(
    sums: Mapping[str, str], mirrors: Sequence[str], folder: Path, title: str, offline: str, largest: int = LARGEST
) -> dict[str, Path]:
    """Bring the files of a data set into the cache, each from the first mirror that has it, and return their paths.

    Of a file that is there already, only the sum is checked.

    Args:
        sums: of each file by its name, as pooch writes them, such as ``sha256:440f…``. The name stands after each
            mirror's address.
        mirrors: addresses that end in a slash.
        folder: where the files are kept.
        title: what errors call the data set.
        offline: the data set's folder under ``$GLASSNET_DATA``.
        largest: how many bytes a file has at most.

    Raises:
        DataError: no mirror has a file with this sum, or it cannot be saved.
    """
    paths = {}
    for name, known_sum in sums.items():
        try:
            found = _retrieved(name, known_sum, mirrors, folder, largest)
        except OSError as error:
            raise DataError(
                f"cannot save {title} in {folder}: {error.strerror or error}; free space, or set GLASSNET_CACHE"
            ) from error
        if isinstance(found, str):
            raise DataError(f"cannot download {title} ({name}): {found} {_how_offline(list(sums), offline)}")
        paths[name] = found
    return paths


def _retrieved(name: str, known_sum: str, mirrors: Sequence[str], folder: Path, largest: int) -> Path | str:
    """Return the path of a file in the cache, or why no mirror has it; raise OSError if it cannot be saved."""
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("WARNING")
    why = "no mirror could be reached; are you online?"
    for mirror in mirrors:
        downloader = _Bounded(largest, progressbar=_Bar(name) if sys.stderr.isatty() else False, timeout=30)
        try:
            return Path(pooch.retrieve(mirror + name, known_sum, name, folder, downloader=downloader))
        except RequestException:
            continue
        except ValueError:  # pooch's word for a wrong sum, and `_Bounded`'s for too many bytes
            why = "the mirrors sent a file with a wrong checksum."
    return why


def _how_offline(names: Sequence[str], folder: str) -> str:
    """Say where the files of a data set are looked for."""
    given = os.environ.get("GLASSNET_DATA")
    nearby = f"GLASSNET_DATA is set, but {given} has no folder {folder} with all its files. " if given else ""
    *others, last = names
    return (
        f"{nearby}To work offline, put {' and '.join([', '.join(others), last] if others else [last])} into a folder "
        f"{folder} and set GLASSNET_DATA to its parent folder"
    )


class _Bounded:
    """Downloads as pooch does, but never more than so many bytes."""

    def __init__(self, largest: int, **settings: Any) -> None:
        import pooch

        self._largest, self._download = largest, pooch.HTTPDownloader(**settings)

    def __call__(self, url: str, output_file: str, downloader: Any) -> None:
        with Path(output_file).open("wb") as file:
            write, left = file.write, self._largest

            def write_some(content: bytes) -> int:
                nonlocal left
                left -= len(content)
                if left < 0:
                    raise ValueError(f"{url}: more than {self._largest:,} bytes")
                return write(content)

            self._download(url, SimpleNamespace(write=write_some, flush=file.flush), downloader)


class _Bar:
    """A progress bar of rich's with the interface that pooch expects; ``total`` is set by pooch."""

    total = 0

    def __init__(self, name: str):
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
        self.progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.progress.add_task(name)

    def update(self, bytes_more: int) -> None:
        self.progress.start()
        self.progress.update(self.task, total=self.total, advance=bytes_more)

    def reset(self) -> None:
        self.progress.reset(self.task, total=self.total)

    def close(self) -> None:
        self.progress.stop()
