"""A compiled engine for tests, in a module of its own since it is pickled by its name."""

from glassnet.engines.compiled import CompiledEngine

__all__ = ["ManyParts"]


class ManyParts(CompiledEngine):
    """It shares out small work, too; what is tiny it does in one part."""

    least_pass = least_product = 10
