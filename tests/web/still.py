"""Where an element lies once it lies still: until all that is above it has come, it may move under the pointer."""

from playwright.sync_api import FloatRect, Locator

WAIT = 200  # ms that it has not moved


def still(place: Locator) -> FloatRect:
    """Scroll to an element, and return where in the window it has come to rest."""
    place.scroll_into_view_if_needed()
    before, box = None, place.bounding_box()
    while box is None or box != before:
        place.page.wait_for_timeout(WAIT)
        before, box = box, place.bounding_box()
    return box
