"""The page in a real browser: light and dark, on a desk and on a phone."""

from itertools import pairwise

import pytest

from ambi_tasks.report.analysis import Settings
from ambi_tasks.report.build import build_report
from ambi_tasks.report.sample_log import find_logs
from tests.browsing import CUT_OFF, LOW_CONTRAST, OVERFLOWING


@pytest.fixture(scope="module")
def page_address(harness_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser") / "report"
    built = build_report(find_logs(harness_run), folder, Settings(resamples=100))
    return built.page.resolve().as_uri()


@pytest.fixture
def opened(browser, page_address):
    """What opens the page in a window of some width and scheme, and notes all trouble."""
    contexts = []

    def open_page(width, scheme):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.trouble = []
        page.on("console", lambda message: page.trouble.append(message.text))
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        page.on("requestfailed", lambda request: page.trouble.append(request.url))
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(page_address)
        return page

    yield open_page
    for context in contexts:
        context.close()


def open_everything(page):
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wrong_to_see(opened, page_address, width, scheme):
    page = opened(width, scheme)
    assert page.evaluate(CUT_OFF) == []
    open_everything(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate(LOW_CONTRAST) == []
    assert page.trouble == []
    assert [one for one in page.asked if not one.startswith("data:")] == [page_address]


def test_pictures_take_the_colour_of_the_page(opened):
    colours = set()
    for scheme in ("light", "dark"):
        page = opened(1280, scheme)
        colours.add(page.evaluate("getComputedStyle(document.querySelector('svg text')).fill"))
    assert len(colours) == 2


def strategies(page):
    cells = page.locator("#demo-scores ~ .scroll tbody tr:not(.reference) td:nth-child(3)")
    return cells.all_inner_texts()


def test_a_table_is_sorted_by_its_heads(opened):
    page = opened(1280, "light")
    before = strategies(page)
    assert len(before) == 8
    head = page.locator("#demo-scores ~ .scroll th button", has_text="acc")
    place = head.evaluate("(one) => one.closest('th').cellIndex + 1")
    values = page.locator(f"#demo-scores ~ .scroll tbody tr:not(.reference) td:nth-child({place})")

    def numbers():
        return [float(one.get_attribute("data-key")) for one in values.all()]

    head.click()
    assert numbers() == sorted(numbers())
    head.click()
    assert numbers() == sorted(numbers(), reverse=True)
    assert sorted(strategies(page)) == sorted(before)
    last = page.locator("#demo-scores ~ .scroll tbody tr").last
    assert "human ceiling" in last.inner_text()
    page.locator("#demo-scores ~ .scroll th button", has_text="strategy").click()
    assert strategies(page) == sorted(before)
    assert page.trouble == []


def test_the_keyboard_reaches_what_scrolls_and_what_opens(opened):
    page = opened(390, "light")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.className || document.activeElement.tagName")
        )
    assert {"skip", "A", "scroll"} <= reached
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.get_attribute("open") is not None


def test_every_picture_and_table_has_a_name(opened):
    page = opened(1280, "light")
    assert page.locator("svg:not([aria-label])").count() == 0
    assert page.locator(".scroll > table:not([aria-label])").count() == 0
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => +one.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
