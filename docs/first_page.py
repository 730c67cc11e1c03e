"""The first page of `make site`: the bundled model to draw for, with a link to the tutorial beside it."""

import sys
from pathlib import Path

from glassnet import open_model
from glassnet.export import html_page, record_of
from glassnet.files import write_together

if __name__ == "__main__":
    folder, model = Path(sys.argv[1]), open_model()
    page = html_page(model, record_of(model, "glassnet"), {"Tutorial": "docs/index.html"})
    # GitHub's pages leave out folders whose name begins with an underscore, unless there is this file.
    write_together({folder / "index.html": page, folder / ".nojekyll": b""})
