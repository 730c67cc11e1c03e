"""The pictures in the folder of drawings, and which of them the page kept there itself."""

import re
from contextlib import suppress
from pathlib import Path

from fastapi import HTTPException

from ..data.folder import is_picture, natural

__all__ = ["find", "is_kept", "kept_file", "listed_name", "pictures_by_class"]

KEPT = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{5,}(-[0-9]+)*")  # the time and a number, and where a name was taken another


def kept_file(now: str, number: int) -> str:
    """Return the name of a new drawing's file, which `is_kept` knows again."""
    return f"{now}-{number:05}.png"


def is_kept(path: Path) -> bool:
    """Return whether a picture is called as the page calls what it keeps; others are people's own."""
    return path.suffix == ".png" and KEPT.fullmatch(path.stem) is not None


def listed_name(path: Path) -> str:
    """Return what a picture is called on the page: a kept drawing without its suffix, others with it."""
    return path.stem if is_kept(path) else path.name


def pictures_by_class(folder: Path) -> dict[str, list[Path]]:
    """Return the pictures of each class that there are any of, by name, 2 before 10.

    What cannot be read, has just been deleted or has a name that is not text is left out: it hides no other picture.
    """
    try:
        places = sorted((place for place in folder.iterdir() if _is_named(place)), key=natural)
    except OSError:
        return {}
    found = {place.name: _pictures(place) for place in places}
    return {label: pictures for label, pictures in found.items() if pictures}


def find(label: str, name: str, folder: Path) -> Path:
    """Return the picture of a name as `listed_name` gives it; raise HTTPException, 404, where there is none."""
    place = folder / label
    path = place / (f"{name}.png" if KEPT.fullmatch(name) else name)
    # Names come from anywhere: the path has to be that of a file in a folder of a class, and neither may be hidden.
    if path.parts == (*folder.parts, label, path.name) and _is_named(place) and _is_named(path):
        with suppress(OSError, ValueError):  # no permission, or a name that no file can have
            if not place.is_symlink() and is_picture(path):
                return path
    raise HTTPException(404, f"{label[:40]}/{name[:40]}: no such drawing; it may have been deleted or relabelled")


def _pictures(place: Path) -> list[Path]:
    found = []
    with suppress(OSError):
        for path in place.iterdir():
            with suppress(OSError):  # a link to where nobody may look
                if _is_named(path) and is_picture(path):
                    found.append(path)
    return sorted(found)


def _is_named(path: Path) -> bool:
    """Return whether a name is text that JSON can hold, and not hidden."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        return False
    return not path.name.startswith(".")
