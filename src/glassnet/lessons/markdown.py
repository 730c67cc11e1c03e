"""A lesson's Markdown as HTML for the page: without HTML, pictures or headings of its own."""

from functools import cache
from typing import Any

from markdown_it import MarkdownIt

__all__ = ["render", "render_line"]

LINKS = ("#", "http://", "https://")


def render(markdown: str) -> str:
    """Return paragraphs, lists and tables as HTML.

    HTML in the text is shown as it stands. Links lead to the page's own views, or over http to another window.
    """
    return str(_parser().render(markdown))


def render_line(markdown: str) -> str:
    """Return a line as HTML, without a paragraph around it."""
    return str(_parser().renderInline(markdown))


@cache
def _parser() -> MarkdownIt:
    # A heading would be in the wrong place of the page, and a picture from elsewhere would be a request elsewhere.
    parser = MarkdownIt("js-default").disable(["html_block", "html_inline", "heading", "lheading", "image"])
    parser.validateLink = lambda url: url.startswith(LINKS)  # type: ignore[method-assign]
    parser.add_render_rule("link_open", _open_link)
    return parser


def _open_link(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """Open what is elsewhere in another window, so that the lesson stays where it is."""
    token = tokens[index]
    if not str(token.attrGet("href")).startswith("#"):
        token.attrs |= {"target": "_blank", "rel": "noopener noreferrer"}
    return str(renderer.renderToken(tokens, index, options, env))
