"""Where the products come from: the addresses of a BLAS's functions for matrices.

On a processor of Intel's it is MKL, where that is installed; MKL does not do its best on others. Else it is the BLAS
that comes with SciPy. Both compute with one thread, SciPy's inside of `computing`: the engine has its own.
"""

import ctypes
import platform
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

from numba.extending import get_cython_function_address

__all__ = ["Blas", "find_blas"]


class Blas(NamedTuple):
    """A BLAS.

    Attributes:
        name: of the library.
        sgemm, dgemm: addresses of its products of float32 and of float64, which go by Fortran's rules and take whole
            numbers of 32 bits.
        bgemm: the same for matrices of bfloat16 whose product is float32; 0 where there is none.
    """

    name: str
    sgemm: int
    dgemm: int
    bgemm: int = 0


@cache
def find_blas() -> Blas:
    """Return MKL or SciPy's BLAS."""
    return (_is_intel() and _mkl()) or _scipy()


def _is_intel() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    return "GenuineIntel" in (cpuinfo.read_text() if cpuinfo.exists() else platform.processor())


def _scipy() -> Blas:
    module = "scipy.linalg.cython_blas"
    return Blas("SciPy's BLAS", *(get_cython_function_address(module, name) for name in ("sgemm", "dgemm")))


def _mkl() -> Blas | None:
    """Return MKL if it is there."""
    names = {"linux": "lib/libmkl_rt.so.*", "win32": "Library/bin/mkl_rt.*.dll"}
    found = sorted(Path(sys.prefix).glob(names.get(sys.platform, "no MKL")))
    if not found:
        return None
    try:
        mkl = ctypes.CDLL(str(found[-1]))
        # Whole numbers of 32 bits, one thread, and the same bits from the same numbers wherever in memory they lie; too
        # late, and harmless, where MKL is at work already.
        mkl.MKL_Set_Interface_Layer(0)
        mkl.MKL_Set_Threading_Layer(1)
        mkl.MKL_CBWR_Set(2)
        functions = mkl.sgemm, mkl.dgemm, mkl.gemm_bf16bf16f32
        addresses = [ctypes.cast(function, ctypes.c_void_p).value for function in functions]
    except (OSError, AttributeError):  # another processor's, damaged or too old
        return None
    return Blas("MKL", *(address or 0 for address in addresses))
