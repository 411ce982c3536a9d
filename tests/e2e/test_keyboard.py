"""The frame and the main choices by keyboard alone: what has the focus can be seen, and Escape closes what opened."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from port444.demo import cast
from tests.e2e.conftest import Person

pytestmark = pytest.mark.browser

SEEN = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return 'nothing';
  if (at.closest('.findbox, .composer')) return '';  // the box around shows it
  const box = (at.closest('label') ?? at).getBoundingClientRect();
  const styles = [at, at.parentElement, at.closest('label')].filter(Boolean).map(n => getComputedStyle(n));
  const seen = styles.some(s => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2);
  return seen && box.width > 0 && box.height > 0 ? '' : at.outerHTML.slice(0, 160);
}"""


@pytest.mark.parametrize("path", ["/", "/s/make-slow-django-pages-fast/", "/b/anaya-krishnan/call/", "/orders/", "/settings/"])
def test_the_focus_can_be_seen_everywhere(person: Callable[..., Person], path: str) -> None:
    somebody = person()
    somebody.sign_in(cast.CLIENT, cast.PASSWORD)
    somebody.page.goto(path)
    lost = []
    for _ in range(30):
        somebody.page.keyboard.press("Tab")
        if found := somebody.page.evaluate(SEEN):
            lost.append(found)
    assert [one for one in lost if one != "nothing"] == []


def test_escape_leaves_a_question_unanswered(person: Callable[..., Person]) -> None:
    somebody = person()
    somebody.sign_in(cast.CLIENT, cast.PASSWORD)
    somebody.page.goto("/orders/")
    somebody.page.get_by_role("listitem").filter(has_text="Look at the delivery").get_by_role("link").first.click()
    button = somebody.page.get_by_role("button", name="Accept and release").filter(visible=True).first
    button.focus()
    somebody.page.keyboard.press("Enter")
    dialog = somebody.page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    somebody.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    somebody.page.reload()
    expect(button).to_be_visible()
