"""Writing files so that they are never half there, and reading files that nobody has to trust."""

import errno
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import get_ident
from typing import BinaryIO

from .errors import ConfigError, FileError

__all__ = [
    "PARTIAL",
    "advice",
    "as_path",
    "make_folder",
    "open_regular",
    "read_regular",
    "sync",
    "write_atomically",
    "write_together",
]

PARTIAL = ".partial"  # ends the name of a file that is being written


def as_path(path: str | os.PathLike[str], name: str = "path") -> Path:
    """Return a path that a person gave, with ``~`` for the home folder.

    Raises:
        ConfigError: it is neither text nor a path, or holds a zero byte.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or "\0" in text:  # a PathLike may stand for bytes
        raise ConfigError(f"{name}: must be a path, not {path!r:.80}")
    return Path(os.path.expanduser(text))  # noqa: PTH111  # leaves ~nobody as it is, where Path raises


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write ``content`` to ``path`` so that a reader finds the old file or the new one, whatever happens in between.

    Args:
        path: the file.
        content: all of it.
        durable: whether to wait until it is on the disk, so that it outlasts a power cut.

    Raises:
        FileError: the disk is full or the folder cannot be written to. The old file is still there.
    """
    write_together({path: content}, durable=durable)


def write_together(contents: Mapping[Path, bytes], *, durable: bool = True) -> None:
    """Write several files, each atomically; where one of them cannot be written to the disk, none is put in place.

    The bytes go into files beside them, named for the thread that writes them, are forced to the disk, and are then
    renamed over them (a rename is atomic on POSIX and on Windows); the folders are synced too, since it is the folder
    that holds the name.

    Args:
        contents: what goes into which file.
        durable: whether the files have to outlast a power cut, for which a disk may take a tenth of a second.

    Raises:
        FileError: the disk is full or a folder cannot be written to. The old files are still there.
    """
    contents = {as_path(path): content for path, content in contents.items()}
    writer = f"{os.getpid()}-{get_ident()}"
    partial = {path: path.with_name(f".{path.name}.{writer}{PARTIAL}") for path in contents}
    path = Path()
    try:
        for path, content in contents.items():
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not path.parent.is_dir():
                make_folder(path.parent)
            with partial[path].open("wb") as file:
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
        for path in contents:
            partial[path].replace(path)
            if durable and os.name == "posix":  # Windows cannot open a folder, and its rename is durable without it
                sync(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        for temporary in partial.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> FileError:
    # To make a folder where a file is fails because it "exists", which is not what is wrong.
    reason = os.strerror(errno.ENOTDIR) if error.errno == errno.EEXIST else error.strerror or error
    return FileError(f"cannot write {path}: {reason}; {advice(error)}")


def advice(error: OSError, otherwise: str = "choose another place") -> str:
    """Return what to do about an error of the operating system's, or ``otherwise`` where the error does not tell."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "free space"
        case errno.EACCES | errno.EPERM:
            return "change its permissions, or choose another place"
        case errno.EMFILE | errno.ENFILE:
            return "close other programs, or raise the limit of open files (ulimit -n)"
    return otherwise


def make_folder(folder: Path) -> None:
    """Make a folder, and the folders that it lies in where they are missing, so that they outlast a power cut.

    Raises:
        OSError: it cannot be made, or is there already.
    """
    if not folder.parent.is_dir():
        with suppress(FileExistsError):  # another process made it just now
            make_folder(folder.parent)
    folder.mkdir()
    if os.name == "posix":
        sync(folder.parent)


def open_regular(path: Path, limit: int) -> BinaryIO:
    """Open a file for reading: a regular one, whose reading ends, and of at most ``limit`` bytes.

    Reading a pipe or a device could wait for ever, as could opening one.

    Raises:
        OSError: it cannot be opened, is something else, or is larger.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:
        raise OSError(errno.EINVAL, "there is no such name", repr(path)) from error
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size <= limit:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    raise OSError(errno.EFBIG, f"{status.st_size:,} bytes, more than the {limit:,} allowed", str(path))


def read_regular(path: Path, limit: int) -> bytes:
    """Return the content of a file; raise OSError as `open_regular` does."""
    with open_regular(path, limit) as file:
        return file.read()  # with a size, memory for so much would be taken first


def sync(path: Path) -> None:
    """Force what was written to a file or folder to the disk; raise FileError where the disk does not take it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _cannot_write(path, error) from error
