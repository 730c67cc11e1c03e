"""The page on which a person watches a network learn, and the service that programs ask.

The server reads run folders and writes nothing into them: what trains is a process of its own, and what it leaves is
the same as from the shell.
"""

from .app import create_app
from .server import serve
from .site import Site

__all__ = ["Site", "create_app", "serve"]
