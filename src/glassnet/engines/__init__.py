"""What a run computes with on this machine.

`glassnet.nn.engine` is the reference engine, in NumPy. Others, with the same operations, belong here; and so does how
many threads one gets.
"""

from .threads import MAX_THREADS, available_threads, choose_threads, computing

__all__ = ["MAX_THREADS", "available_threads", "choose_threads", "computing"]
