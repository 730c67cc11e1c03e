"""Functions that Numba compiles once and keeps on the disk."""

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache

from ..nn import formulas

__all__ = ["keep"]


class SourceCache(FunctionCache):
    """Numba's own cache, which knows a function by its name and by the text of all that is compiled.

    Numba itself looks at the function's file alone, so that a formula that was changed elsewhere would go unseen; and
    it takes a function that was made by another one for a new one in each process.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            kept = super().load_overload(sig, target_context)
        except Exception:  # noqa: BLE001 - a damaged file, of which pickle may say anything
            kept = None
        if kept is None:
            _tell()
        return kept

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception:  # noqa: BLE001 - a full disk, or an index that was damaged, which begins anew
            with suppress(OSError):
                self.flush()

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return sig, codegen.magic_tuple(), _text()


@cache
def _tell() -> None:
    """Say, once a process, why nothing happens for a while."""
    print("Compiling the engine for this processor; some ten seconds, once.", file=sys.stderr)


@cache
def _text() -> str:
    """Return a hash of everything that compiled code is made of."""
    folder = Path(__file__).parent
    files = [*(folder / f"{name}.py" for name in ("crew", "kept", "kernels", "native")), Path(formulas.__file__)]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def keep(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a function, which then runs without the interpreter's lock, and keep the code where Numba keeps its own.

    That is the folder ``__pycache__`` beside this file, or where it cannot be written to one of the person's own. Where
    there is none either, it is compiled anew in each process.
    """
    compiled: Any = njit(nogil=True, error_model="numpy")(function)
    with suppress(RuntimeError):  # "no locator available"
        compiled._cache = SourceCache(function)
    kept: Callable[..., None] = compiled
    return kept
