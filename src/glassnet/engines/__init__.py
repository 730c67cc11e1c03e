"""What a run computes with on this machine.

`glassnet.nn.engine` is the reference engine, in NumPy. Others, with the same operations, are here: `compiled` by Numba,
which this package imports only when it is used. And here is chosen which engine a run gets, and how many threads.
"""

from .choice import ENGINES, WORTHWHILE, choose_engine, make_engine, why_not_compiled
from .threads import MAX_THREADS, available_threads, choose_threads, computing

__all__ = [
    "ENGINES",
    "MAX_THREADS",
    "WORTHWHILE",
    "available_threads",
    "choose_engine",
    "choose_threads",
    "computing",
    "make_engine",
    "why_not_compiled",
]
