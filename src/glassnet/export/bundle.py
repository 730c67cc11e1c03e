"""JavaScript modules as one script, for a page that is a file: a browser loads no module from beside such a page."""

import re
from pathlib import Path

__all__ = ["bundle"]

IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[^"]*)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export ((?:async function|function|const|class) (\w+))", re.MULTILINE)
OTHER = re.compile(r"^(?:import|export)\b.*|\bimport\(.*", re.MULTILINE)


def bundle(entry: Path) -> str:
    """Return a module and all that it imports as one script, in which each module keeps its names to itself.

    Modules import by ``import { a, b as c } from "./file.js"`` and export functions, constants and classes where they
    are declared.

    Raises:
        ValueError: a module imports or exports in another way.
    """
    names: dict[Path, str] = {}
    parts: list[str] = []
    _add(entry.resolve(), names, parts)
    return "\n".join(parts)


def _add(path: Path, names: dict[Path, str], parts: list[str]) -> None:
    """Add a module after those that it imports."""
    text = path.read_text("utf-8")
    imports = []
    for wanted, place in IMPORT.findall(text):
        other = (path.parent / place).resolve()
        if other not in names:
            _add(other, names, parts)
        imports.append(f"const {{{wanted.replace(' as ', ': ')}}} = {names[other]};")
    exports = [name for _, name in EXPORT.findall(text)]
    text = EXPORT.sub(r"\1", IMPORT.sub("", text))
    if other_form := OTHER.search(text):
        raise ValueError(f"{path}: cannot be bundled: {other_form[0]}")
    names[path] = f"module{len(names)}"
    lines = [f"const {names[path]} = (() => {{", *imports, text, f"return {{ {', '.join(exports)} }};", "})();"]
    parts.append("\n".join(lines))
