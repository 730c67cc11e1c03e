"""Which engine a run gets."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TypeAlias

from ..errors import ConfigError, pip_install
from ..nn import Engine
from ..plugins import WithPlugins, blame, load_plugin
from .rounded import RoundedEngine

__all__ = ["ENGINES", "choose_engine", "make_engine", "why_not_compiled"]

Maker: TypeAlias = Callable[[int, int | None, str], Engine]

WORTHWHILE = 40_000_000_000  # multiply-adds forward through a network, some seconds of a processor's time


def choose_engine(wanted: str, work: int) -> str:
    """Return the engine that is wanted or, for "auto", "numpy" or "compiled", whichever is better.

    To load compiled code takes a second, and where it is not on the disk yet, ten: more than a short run takes.

    Args:
        wanted: "auto", or one of `ENGINES`.
        work: how many multiply-adds a run takes forward through its network, over all epochs.

    Raises:
        ConfigError: the engine that is wanted cannot be had.
    """
    if wanted == "auto":
        return "compiled" if work >= WORTHWHILE and not why_not_compiled() else "numpy"
    if wanted == "compiled" and (reason := why_not_compiled()):
        raise ConfigError(f"engine: compiled cannot be used: {reason}; or train with engine numpy")
    make_engine(wanted)  # which refuses one of another package that cannot be made
    return wanted


@cache
def why_not_compiled() -> str:
    """Return why the compiled engine cannot be had here, and what to do; "" where it can."""
    try:
        import numba
    except ModuleNotFoundError:
        return f"it needs numba, which is missing; {pip_install('fast')}"
    except Exception as error:  # noqa: BLE001 - numba says by many exceptions that it does not go with NumPy or LLVM
        return f"numba does not work here ({_first_line(error)}); see its variables NUMBA_…, or take another version"
    if numba.config.DISABLE_JIT:
        return "numba is switched off by NUMBA_DISABLE_JIT; unset it"
    try:
        import_module(".compiled", __package__)
    except Exception as error:  # noqa: BLE001 - the compiled engine uses some of numba's inner parts
        return f"it does not work with numba {numba.__version__} ({_first_line(error)}); install another version of it"
    return ""


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0]


def make_engine(name: str, threads: int = 1, products: int | None = None, precision: str = "float32") -> Engine:
    """Return an engine.

    Args:
        name: one of `ENGINES`.
        threads: how many it has.
        products: for NumPy, see `Engine`; the compiled engine's products have as many as all else.
        precision: "bfloat16" for products of numbers that are rounded to it; else they are as their arrays.

    Raises:
        ConfigError: another package's engine that cannot be made.
    """
    make = ENGINES[name]
    with ENGINES.blaming(name):
        return make(threads, products, precision)


def _numpy(threads: int, products: int | None, precision: str) -> Engine:
    return (RoundedEngine if precision == "bfloat16" else Engine)(threads, products)


def _compiled(threads: int, products: int | None, precision: str) -> Engine:
    if precision == "bfloat16":
        from .bfloat16 import bfloat16_engine

        return bfloat16_engine(threads)
    from .compiled import CompiledEngine

    return CompiledEngine(threads)


def _brought(name: str) -> Maker:
    """Return what makes an engine of another package's class."""
    kind = load_plugin("glassnet.engines", name)
    if not (isinstance(kind, type) and issubclass(kind, Engine)):
        raise blame("glassnet.engines", name, "it is not a subclass of glassnet.nn.Engine")

    return lambda threads, products, _: kind(threads, products)


ENGINES: WithPlugins[Maker] = WithPlugins({"numpy": _numpy, "compiled": _compiled}, "glassnet.engines", _brought)
"""What makes an engine, by its name: those of glassnet, and those of other packages, see `glassnet.plugins`."""
