"""Writing files so that they are never half there, and reading files that nobody has to trust."""

import errno
import hashlib
import json
import os
import shlex
import stat
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import reduce
from pathlib import Path
from threading import get_ident
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .errors import ConfigError, FileError

__all__ = [
    "MAX_TENSOR_FILE_BYTES",
    "PARTIAL",
    "TensorFile",
    "advice",
    "as_path",
    "is_held",
    "make_folder",
    "only_process",
    "open_regular",
    "open_tensors",
    "read_regular",
    "resume_command",
    "sync",
    "write_atomically",
    "write_tensors",
    "write_together",
]

MAX_TENSOR_FILE_BYTES = 2**31  # 2 GiB: some 180 million float32 parameters with their optimizer's moments
PARTIAL = ".partial"  # ends the name of a file that is being written
TRIES = 5  # to be the only process in a folder
DIGEST = "digest"  # what metadata call the digest of a whole file
CRC = "crc32:"  # how a quick one begins

_DTYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "U8": np.uint8, "I64": np.int64}


def as_path(path: str | os.PathLike[str], name: str = "path") -> Path:
    """Return a path that a person gave, with ``~`` for the home folder.

    Raises:
        ConfigError: it is neither text nor a path, or holds a zero byte.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or "\0" in text:  # a PathLike may stand for bytes
        raise ConfigError(f"{name}: must be a path, not {path!r:.80}")
    return Path(os.path.expanduser(text))  # noqa: PTH111  # leaves ~nobody as it is, where Path raises


def resume_command(folder: Path) -> str:
    """Return the command that resumes a run, as it can be pasted."""
    return shlex.join(["glassnet", "resume", str(folder)])


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
        with _opened(path) as descriptor:
            os.fsync(descriptor)
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a file or folder for the operating system's own calls."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Be the only process that writes into an existing folder, and clear away what a killed one left half written.

    The lock is the operating system's, on the folder itself: it leaves no file, and ends with the process, however that
    ends. Windows has no such lock; there nothing is locked.

    Raises:
        FileError: another process is at work there.
    """
    if os.name != "posix":
        yield
        return
    with _opened(folder) as descriptor:
        for _ in range(TRIES):
            if _lock(descriptor, shared=False):
                break
            time.sleep(0.01)  # it may only be somebody who looks, see is_held, and that takes microseconds
        else:
            raise FileError(f"{folder}: another process is working in this folder; wait for it, or stop it")
        for leftover in folder.glob(f".*{PARTIAL}"):
            leftover.unlink(missing_ok=True)
        yield


def is_held(folder: Path) -> bool:
    """Return whether a process is at work in a folder as its `only_process`; on Windows nobody can tell, so False."""
    if os.name != "posix":
        return False
    try:
        with _opened(folder) as descriptor:
            return not _lock(descriptor, shared=True)
    except OSError:
        return False


def _lock(descriptor: int, *, shared: bool) -> bool:
    """Take the operating system's lock on an open folder until it is closed; return False where somebody has it."""
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def write_tensors(
    path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str], *, durable: bool = True
) -> None:
    """Write named arrays and text metadata to a safetensors file, atomically.

    The same content makes the same bytes: the metadata go in as one JSON text, since the library writes several in
    random order. A digest of all of it goes in too, by which a reader sees that a bit has changed. ``durable`` is that
    of `write_together`; a file that need not be durable is written often, and its digest is a CRC-32, which takes a
    fifth of the time.
    """
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    complete = dict(metadata) | {DIGEST: _digest(arrays, metadata, quick=not durable)}
    content = save(arrays, metadata={"glassnet": json.dumps(complete, sort_keys=True)})
    write_atomically(path, content, durable=durable)


def _digest(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str], *, quick: bool) -> str:
    """Return a digest of tensors, with their names, shapes and dtypes, and of the metadata beside them.

    It is BLAKE2b's, or where it has to be ``quick``, a CRC-32.
    """
    described = {name: [tensor.dtype.str, tensor.shape] for name, tensor in sorted(tensors.items())}
    told = {name: text for name, text in metadata.items() if name != DIGEST}
    head = json.dumps([described, told], sort_keys=True).encode()
    parts = (np.ascontiguousarray(tensors[name]).reshape(-1).view(np.uint8).data for name in described)
    if quick:
        return f"{CRC}{reduce(lambda crc, part: zlib.crc32(part, crc), parts, zlib.crc32(head)):08x}"
    digest = hashlib.blake2b(head, digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


class TensorFile:
    """A safetensors file whose header has been read, and whose tensors are checked before they are given out."""

    def __init__(self, path: Path, metadata: dict[str, str], handle: Any) -> None:
        self.path, self.metadata, self._handle = path, metadata, handle
        slices = {name: handle.get_slice(name) for name in handle.keys()}  # noqa: SIM118  # it is no mapping
        self.shapes = {name: tuple(tensor.get_shape()) for name, tensor in slices.items()}
        self._dtypes = {name: tensor.get_dtype() for name, tensor in slices.items()}

    def read(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return the tensor ``name``.

        Raises:
            FileError: it is missing, has another shape or dtype, or holds a number that is not finite.
        """
        if name not in self.shapes:
            raise FileError(
                f"{self.path}: the tensor {name!r} is missing: this file is damaged or was not written by glassnet"
            )
        if self.shapes[name] != shape:
            raise FileError(f"{self.path}: the tensor {name!r} has shape {self.shapes[name]}, expected {shape}")
        if _DTYPES.get(self._dtypes[name]) != np.dtype(dtype):
            raise FileError(f"{self.path}: the tensor {name!r} holds {self._dtypes[name]}, expected {np.dtype(dtype)}")
        tensor: NDArray[Any] = self._handle.get_tensor(name)
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise FileError(f"{self.path}: the tensor {name!r} holds a number that is not finite")
        return tensor

    def read_all(
        self, expected: Mapping[str, tuple[tuple[int, ...], DTypeLike]], *, undigested: bool = False
    ) -> dict[str, NDArray[Any]]:
        """Return all tensors by name, given the shape and dtype of each.

        Args:
            expected: shape and dtype of each tensor.
            undigested: whether a file without a digest is taken as it is, since its version says that it has none.

        Raises:
            FileError: as `read`, or they are not what was written: a bit has changed on the disk or on the way.
        """
        tensors = {name: self.read(name, shape, dtype) for name, (shape, dtype) in expected.items()}
        if undigested and DIGEST not in self.metadata:
            return tensors
        kept = self.metadata.get(DIGEST, "")
        if kept != _digest(tensors, self.metadata, quick=kept.startswith(CRC)):
            raise FileError(f"{self.path}: its content has changed since it was written: use a copy, or train again")
        return tensors


def _metadata(handle: Any) -> dict[str, str]:
    """Return what `write_tensors` was given, or nothing where the file comes from elsewhere."""
    try:
        metadata = json.loads((handle.metadata() or {}).get("glassnet", "{}"))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(metadata, dict):
        return {}
    return {name: value for name, value in metadata.items() if isinstance(value, str)}


@contextmanager
def open_tensors(path: Path, kind: str) -> Iterator[TensorFile]:
    """Open a safetensors file that says in its metadata that its ``kind`` is this one (``model``, ``checkpoint``, …).

    Nothing but its header is read until a tensor is asked for.

    Raises:
        FileError: no such file, too large, not safetensors, truncated, or not a glassnet file of this kind.
    """
    try:
        file = open_regular(path, MAX_TENSOR_FILE_BYTES)
    except FileNotFoundError as error:
        raise FileError(f"{path}: no such file; is the path right?") from error
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror}); give a {kind} file that glassnet wrote") from error
    try:
        with file, safe_open(_name_of(file, path), framework="numpy") as handle:
            metadata = _metadata(handle)
            if metadata.get("kind") != kind:
                raise FileError(
                    f"{path}: a safetensors file, but not a glassnet {kind}; give a file that glassnet wrote"
                )
            yield TensorFile(path, metadata, handle)
    except SafetensorError as error:
        raise FileError(f"{path}: not a safetensors file, or a truncated or damaged one") from error
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error})") from error


def _name_of(file: BinaryIO, path: Path) -> Path:
    """Return a name by which safetensors, which takes nothing else, gets the file that is open, not what replaced it.

    Windows has no such names, and replaces no file that is open.
    """
    name = Path(f"/dev/fd/{file.fileno()}")
    return name if name.exists() else path
