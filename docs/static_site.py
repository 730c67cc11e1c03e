"""What `make site` puts beside the tutorial: the bundled model to draw for, and the lessons."""

import sys
from pathlib import Path

from glassnet import open_model
from glassnet.export import html_page, record_of
from glassnet.files import write_together
from glassnet.lessons import lesson_files, lesson_pages, read_lesson

if __name__ == "__main__":
    folder, model = Path(sys.argv[1]), open_model()
    links = {"Lessons": "lessons/index.html", "Tutorial": "docs/index.html"}
    page = html_page(model, record_of(model, "glassnet"), links)
    lessons = {name: read_lesson(path) for name, path in lesson_files().items()}
    pages = lesson_pages(lessons, "../index.html", "../docs/tutorial")
    # GitHub's pages leave out folders whose name begins with an underscore, unless there is this file.
    write_together({folder / "index.html": page, folder / ".nojekyll": b""})
    write_together({folder / "lessons" / name: content for name, content in pages.items()})
