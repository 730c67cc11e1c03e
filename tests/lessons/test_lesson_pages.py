"""The lessons as pages that are files: nothing is lost of their words, and their links lead somewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from glassnet.explain import explain_tiny
from glassnet.lessons import Lesson, lesson_files, lesson_pages, read_lesson

TUTORIAL = Path(__file__).parents[2] / "docs/tutorial"
LESSONS = {name: read_lesson(path) for name, path in lesson_files().items()}
PAGES = {name: page.decode() for name, page in lesson_pages(LESSONS, "../index.html", "../docs/tutorial").items()}


class Shown(HTMLParser):
    """What a page says outside of folded answers, and inside of them; its links; its identifiers."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.folded, self.inside = "", "", 0
        self.links, self.ids = list[str](), list[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside += tag == "details"
        self.links += [value for name, value in attrs if name == "href" and value]
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        self.inside -= tag == "details"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.folded += data
        else:
            self.open += data


def lesson(**step: object) -> Lesson:
    return Lesson.model_validate(
        {"title": "A", "about": "B", "step": [{"title": "C", "words": "D", "view": "#draw"} | step]}
    )


def page_of(**step: object) -> Shown:
    return Shown(lesson_pages({"one": lesson(**step)}, "model.html")["one.html"].decode())


@pytest.mark.parametrize("name", LESSONS)
def test_a_page_has_each_step_with_its_answer_folded(name: str) -> None:
    page = Shown(PAGES[f"{name}.html"])
    assert page.ids == [f"step-{number}" for number in range(1, len(LESSONS[name].step) + 1)]
    for number, step in enumerate(LESSONS[name].step, 1):
        assert f"{number}. {step.title}" in page.open
        if step.question:
            assert all(re.sub(r"[*_`]", "", choice) in page.open for choice in step.question.choices or [])
            answer = step.question.answer
            told = answer if isinstance(answer, str) else f"{answer:.10g}".replace("-", "−")
            assert re.sub(r"[*_`]", "", told) in page.folded
    questions = [step for step in LESSONS[name].step if step.question]
    assert page.folded.count("Show the answer") == len(questions)


def test_links_lead_to_pages_that_are_there() -> None:
    assert PAGES.keys() == {"index.html", *(f"{name}.html" for name in LESSONS)}
    stages = {stage.name for stage in explain_tiny().stages}
    for page in PAGES.values():
        for link in Shown(page).links:
            place, _, part = link.partition("#")
            if place == "../index.html":
                view, _, stage = part.partition("?stage=")
                assert view in ("", "draw", "tiny")
                assert not stage or stage.replace("%20", " ") in stages
            elif place.startswith("../docs/tutorial/"):
                assert (TUTORIAL / place.rpartition("/")[2]).with_suffix(".md").exists()
            elif not place.startswith(("https://", "http://127.0.0.1:8000/")):
                assert place in PAGES
    assert [f"{name}.html" for name in LESSONS] == [
        link for link in Shown(PAGES["index.html"]).links if "/" not in link
    ]


@pytest.mark.parametrize(
    ("view", "part"),
    [
        ("#draw", "#draw"),
        ("#step", "#tiny"),
        ("#step?stage=W1 after", "#tiny?stage=W1%20after"),
        ("#step?show=tiny&stage=L", "#tiny?stage=L"),
        ("#draw?run=a", None),
        ("#step?stage=L&label=1", None),
        ("#step?show=trained", None),
        ("#step?show=convolution", None),
        ("#train?data=digits&layers=conv 16 3x3,pool 2", None),
        ("#clinic?mistake=no-shuffling", None),
    ],
)
def test_a_view_is_linked_to_where_the_models_page_shows_all_of_it(view: str, part: str | None) -> None:
    links = page_of(view=view).links
    assert [link for link in links if link.startswith("model.html#")] == ([f"model.html{part}"] if part else [])
    served = f"http://127.0.0.1:8000/?lesson=one&step=1{view.replace(' ', '%20')}"
    assert served in links


def test_what_a_lesson_says_is_text_unless_it_is_markdown() -> None:
    question = {"ask": "<i>E</i> **F**", "choices": ["<b>", "`x < y`"], "answer": "<b>", "why": "see [it](#watch)"}
    page = page_of(title="<script>", question=question)
    assert "<script>" in page.open
    assert "<i>E</i> F" in page.open
    assert "x < y" in page.open
    assert "<b>" in page.folded
    assert "http://127.0.0.1:8000/#watch" in page.links
