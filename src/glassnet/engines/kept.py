"""Functions that Numba compiles once and keeps on the disk."""

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, NullCache

from ..nn import formulas, products

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
        # Of two processes that save at once, one may write over what the other one's index names.
        if kept is None or kept.signature.args != sig:
            _tell()
            return None
        return kept

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception:  # noqa: BLE001 - a full disk, or an index that was damaged, which begins anew
            with suppress(OSError):
                self.flush()
                super().save_overload(sig, data)

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return sig, codegen.magic_tuple(), _text()


class NowhereCache(NullCache):
    """Keeps nothing, since no folder can be written to."""

    def load_overload(self, sig: Any, target_context: Any) -> None:
        _tell(" It cannot be kept: no cache folder can be written to; NUMBA_CACHE_DIR says where one is.")


@cache
def _tell(more: str = "") -> None:
    """Say, once a process, why nothing happens for a while."""
    print(f"Compiling what is needed for the first time, which may take ten seconds.{more}", file=sys.stderr)


@cache
def _text() -> str:
    """Return a hash of everything that compiled code is made of."""
    folder = Path(__file__).parent
    files = [*sorted(folder.glob("*.py")), Path(formulas.__file__), Path(products.__file__)]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def keep(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a function, which then runs without the interpreter's lock, and keep the code where Numba keeps its own.

    That is the folder ``__pycache__`` beside this file, or where it cannot be written to one of the person's own. Where
    there is none either, it is compiled anew in each process.
    """
    compiled: Any = njit(nogil=True, error_model="numpy")(function)
    try:
        compiled._cache = SourceCache(function)
    except RuntimeError:  # "no locator available"
        compiled._cache = NowhereCache()
    kept: Callable[..., None] = compiled
    return kept
