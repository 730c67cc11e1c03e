"""Where glassnet keeps what it has downloaded or worked out, all of which can be deleted at any time."""

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """Return ``$GLASSNET_CACHE``, or else the folder that the operating system means for caches."""
    if chosen := os.environ.get("GLASSNET_CACHE"):
        return Path(chosen)
    import pooch

    return Path(pooch.os_cache("glassnet"))
