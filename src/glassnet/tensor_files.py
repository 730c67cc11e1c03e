"""Tensor files: named arrays and text in safetensors, written whole and checked as they are read."""

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .errors import FileError
from .files import open_regular, write_atomically

__all__ = ["MAX_TENSOR_FILE_BYTES", "TensorFile", "open_tensors", "write_tensors"]

MAX_TENSOR_FILE_BYTES = 2**31  # 2 GiB: some 180 million float32 parameters with their optimizer's moments
DIGEST = "digest"  # what metadata call the digest of a whole file
CRC = "crc32:"  # how a quick one begins

_DTYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "U8": np.uint8, "I64": np.int64}


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
