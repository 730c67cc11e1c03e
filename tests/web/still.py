"""Where an element lies once it lies still: until all that is above it has come, it may move under the pointer."""

from playwright.sync_api import FloatRect, Locator

WAIT, LOOKS = 200, 50  # ms that it has not moved, and how often it may have


def still(place: Locator) -> FloatRect:
    """Scroll to an element, and return where in the window it has come to rest."""
    before = None
    for _ in range(LOOKS):
        place.scroll_into_view_if_needed()
        box = place.bounding_box()
        if box is not None and box == before:
            return box
        before = box
        place.page.wait_for_timeout(WAIT)
    raise AssertionError(f"{place} does not lie still")
