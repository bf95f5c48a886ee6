"""The page in a real browser: filters, sorting, paging, CSV, the address, keyboard, widths, paper, no request."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from support.browser import browser, needs_browser
from support.documents import BRAND, START, Documents, plain_campaign, reasons

from socap_cli.model.campaign import TweetCategory
from socap_cli.report.page import campaign_page, index_page
from socap_cli.report.publish import as_pdf
from socap_cli.report.tweets import summary
from socap_cli.report.values import Edition

pytestmark = needs_browser
Open = Callable[..., Any]
WIDTHS = (1440, 768, 390, 320)


def launch() -> Documents:
    """Thirty tweets over four days, 130 engagements, names that break layouts."""
    one = Documents(campaign=plain_campaign(name="Launch " + "W" * 50))
    categories = list(TweetCategory)
    for n in range(30):
        text, posted_at = "A long text of a tweet. " * 12, START + timedelta(hours=n)
        tweet = one.tweet(f"{100 + n}", categories[n % 3], text=text, posted_at=posted_at)
        for hours in (0, 1, 30, 90):
            views = 1000 + 99_999 * hours
            counters = {
                "retweets": hours,
                "replies": hours // 2,
                "quotes": 0,
                "likes": 10 * hours,
                "bookmarks": hours,
            }
            one.read(tweet, hours * 60, views=views, **counters)
    one.gap("100", 300, 1500)
    for n in range(120):
        important = (
            reasons(("ada", 9), ("bob_the_long_handle", 4), ("carl", 3), ("dora", 1)) if n < 40 else {}
        )
        facts = {"categories": ["founders"] if n % 4 else ["vcs"], **important}
        one.engage(f"{100 + n % 30}", ("retweet", "reply", "quote")[n % 3], minutes=60 + 40 * n, **facts)
    hostile(one)
    for n in range(7):
        one.engage("101", user=900 + n, backfill=True)
    return one


def hostile(one: Documents) -> None:
    """Three whose names and texts break a layout, a spreadsheet, a direction of writing."""
    wide: dict[str, Any] = {"name": "W" * 50, "username": "W" * 15, "bio": "W" * 160, "text": "W" * 10_000}
    one.engage("100", "reply", minutes=5000, **wide, **reasons(("W" * 15, 50)))
    one.engage("100", "reply", name='=HYPERLINK("x")', text="＝1+1", bio="b" * 10_000, minutes=5001)
    other: dict[str, Any] = {"name": "مهندس", "bio": "مهندس برمجيات", "text": "👩‍👩‍👧‍👦" * 2000}
    one.engage("100", "reply", minutes=5002, **other, **reasons(("ada", 30)))


LETTERS = """(() => {
    const texts = [...document.querySelectorAll('.plot text')].filter(e => e.getBoundingClientRect().width);
    return Math.min(...texts.map(e => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a));
})()"""
"""The smallest letters of a chart as they are seen, in pixels."""
FOCUSED = """(() => {
    const box = document.activeElement.getBoundingClientRect();
    return box.width * box.height;
})()"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[Edition, Path]:
    one, found = launch(), {}
    for edition in Edition:
        path = tmp_path_factory.mktemp("pages") / f"{edition}.html"
        path.write_text(campaign_page(one.report(edition), BRAND, UTC), encoding="utf-8")
        found[edition] = path
    summaries = [summary(one.report()), {**summary(one.report()), "slug": "other", "name": "Other"}]
    index = found[Edition.CLIENT].with_name("index.html")
    index.write_text(index_page(summaries, BRAND, UTC, edition=Edition.CLIENT), encoding="utf-8")
    return found


@pytest.fixture
def open_page(chromium: Any, pages: dict[Edition, Path]) -> Iterator[Open]:
    """Open a page; whatever the console says and whatever is asked for elsewhere fails the test at its end."""
    contexts: list[Any] = []
    said: list[str] = []

    def open_(fragment: str = "", *, width: int = 1440, path: Path | None = None, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.extend(outside(request.url)))
        page.goto((path or pages[Edition.CLIENT]).as_uri() + fragment)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert said == []


def outside(url: str) -> list[str]:
    return [] if url.startswith(("file:", "data:", "blob:")) else [url]


def shown(page: Any) -> str:
    return str(page.inner_text("#shown"))


def rows(page: Any) -> int:
    return int(page.locator("#list tbody tr").count())


FILTERS = [
    ("q", "user1001", "1 of 130 engagements"),
    ("q", "@user1001", "1 of 130 engagements"),
    ("action", "quote", "40 of 130 engagements"),
    ("label", "vcs", "30 of 130 engagements"),
    ("category", "influencer", "47 of 130 engagements"),
    ("tweet", "100", "7 of 130 engagements"),
    ("min", "17", "42 of 130 engagements"),
    ("new", "1", "0 of 130 engagements"),
]


@pytest.mark.parametrize(("name", "value", "expected"), FILTERS)
def test_each_filter_stands_in_the_address_and_comes_back_from_it(
    open_page: Open, name: str, value: str, expected: str
) -> None:
    page = open_page()
    assert shown(page) == "130 engagements"
    field = page.locator(f"#f-{name}")
    if name == "new":
        field.check()
        expected = shown(page)
    elif name in ("q", "min"):
        field.fill(value)
    else:
        field.select_option(value)
    assert shown(page) == expected
    fragment = "#" + page.url.partition("#")[2]
    assert f"{name}=" in fragment
    again = open_page(fragment)
    assert shown(again) == expected
    again.click("#clear")
    assert shown(again) == "130 engagements"
    assert "#" not in again.url


def test_pages_of_25_can_be_turned_by_keyboard_and_stand_in_the_address(open_page: Open) -> None:
    page = open_page()
    assert rows(page) == 25
    page.focus("#pages button:last-child")
    for _ in range(5):
        page.keyboard.press("Enter")
    assert "page 6 of 6" in page.inner_text("#pages")
    assert rows(page) == 5
    assert page.url.endswith("#page=6")
    assert rows(open_page("#page=6")) == 5
    assert rows(open_page("#page=99")) == 5


def test_rows_are_sorted_by_importance_or_time(open_page: Open) -> None:
    page = open_page()
    assert page.inner_text("#list tbody tr:first-child .score") == "50"
    page.select_option("#f-sort", "time")
    times = page.eval_on_selector_all("#list time", "all => all.map(e => e.dateTime)")
    assert times == sorted(times, reverse=True)
    assert len(times) == 25


def test_nothing_found_is_said_with_a_way_out(open_page: Open) -> None:
    page = open_page("#q=nobody-at-all")
    assert "Nothing matches" in page.inner_text("#list")
    assert page.locator("#csv").is_disabled()


def test_the_csv_holds_what_is_filtered_and_no_formula(open_page: Open, tmp_path: Path) -> None:
    page = open_page("#tweet=100")
    with page.expect_download() as download:
        page.click("#csv")
    target = tmp_path / "x.csv"
    download.value.save_as(target)
    assert download.value.suggested_filename == "launch-engagements.csv"
    raw = target.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    found = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert len(found) == 7
    assert {row["tweet_id"] for row in found} == {"100"}
    by_name = {row["name"]: row for row in found}
    formula = by_name['\'=HYPERLINK("x")']
    assert formula["text"] == "'＝1+1"
    assert re.fullmatch(r"https://x\.com/user\d+/status/\d+", formula["link"])
    assert not [cell for row in found for cell in row.values() if cell.startswith(("=", "+", "-", "@", "＝"))]


def test_the_tweets_are_sorted_by_any_column_and_fifteen_are_shown(open_page: Open) -> None:
    page = open_page()
    assert page.locator("#tweet-list tbody tr:visible").count() == 15
    page.click("#tweet-list thead button:has-text('Views')")
    page.keyboard.press("Enter")
    assert page.get_attribute("#tweet-list thead th:nth-child(6)", "aria-sort") == "ascending"
    page.click("label[for=every-tweet]")
    assert page.locator("#tweet-list tbody tr:visible").count() == 30


def test_a_tweet_opens_and_leads_to_its_engagements(open_page: Open) -> None:
    page = open_page()
    row = page.locator("#tweet-list tr[data-tweet='100']")
    row.locator("summary").click()
    row.locator("a.browse-link").click()
    assert shown(page) == "7 of 130 engagements"
    assert page.input_value("#f-tweet") == "100"


def test_every_other_tweet_opens_too(open_page: Open) -> None:
    page = open_page()
    page.click("label[for=every-tweet]")
    rows = page.locator("#tweet-list tr[data-tweet]")
    assert rows.count() == page.locator("#tweet-list tr[data-tweet] details").count() == 30
    last = rows.nth(29)
    last.locator("summary").click()
    assert "only here" in last.inner_text()
    assert last.locator(".view svg").is_visible()
    last.locator("a.browse-link").click()
    assert page.input_value("#f-tweet") == last.get_attribute("data-tweet")


def test_hours_and_days_are_switched_without_a_script(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator(".by-1 .plot.wide").is_hidden() != page.locator(".by-2 .plot.wide").is_hidden()
    page.click("label[for=by-2]")
    assert page.locator(".by-2 .plot.wide").is_visible()
    assert page.locator(".by-1 .plot.wide").is_hidden()


def test_without_scripts_the_page_is_whole(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator("#tools").is_hidden()
    assert rows(page) == 100
    assert "Without scripts, the first 100" in page.inner_text("#all")
    page.click("#people summary")
    assert page.locator("#people .person").nth(30).is_visible()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["client", "operator", "index"])
def test_no_page_scrolls_sideways(
    open_page: Open, pages: dict[Edition, Path], width: int, scheme: str, name: str
) -> None:
    paths = {str(edition): path for edition, path in pages.items()} | {
        "index": pages[Edition.CLIENT].with_name("index.html")
    }
    page = open_page(width=width, color_scheme=scheme, path=paths[name])
    for one in page.locator("summary:visible").all():
        one.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shown = page.locator(".by-1 .plot:visible, .by-2 .plot:visible")
    if name != "index":
        assert shown.count() == 1
        letters = page.evaluate(LETTERS)
        assert letters >= 9.5


OUTSIDE = """[...document.querySelectorAll('.card')].flatMap(card => {
    const room = card.getBoundingClientRect();
    return [...card.querySelectorAll('*')].filter(e => {
        const box = e.getBoundingClientRect();
        return box.width > 1 && !e.closest('.scroll, svg') && (box.right > room.right || box.left < room.left);
    }).map(e => `${card.id} ${e.tagName} ${e.textContent.slice(0, 40)}`);
})"""
CUT = """[...document.querySelectorAll('td, tbody th, dd')].filter(
    e => e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1 && !e.closest('.scroll')
).map(e => `${e.closest('[id]').id} ${e.textContent.slice(0, 40)}`)"""


@pytest.mark.parametrize("width", [1440, 1021, 961, 861, 691, 561, 390, 320])
def test_nothing_sticks_out_of_its_card_or_its_cell(
    open_page: Open, pages: dict[Edition, Path], width: int
) -> None:
    for path in (pages[Edition.OPERATOR], pages[Edition.CLIENT].with_name("index.html")):
        page = open_page(width=width, path=path)
        page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate(CUT) == []
        assert page.evaluate(LETTERS) >= 9.5


def test_the_map_of_hours_stands_upright_on_a_phone(open_page: Open) -> None:
    first, second = "#hours .heat i:nth-of-type(1)", "#hours .heat i:nth-of-type(2)"
    for width, upright in ((1440, False), (390, True), (320, True)):
        page = open_page(width=width)
        here, there = (page.locator(cell).bounding_box() for cell in (first, second))
        assert (there["y"] > here["y"]) == upright
        assert here["width"] >= 10
        assert page.locator("#hours .heat").evaluate("e => e.scrollWidth <= e.clientWidth")


def test_tweets_and_campaigns_are_sorted_on_a_phone_too(open_page: Open, pages: dict[Edition, Path]) -> None:
    page = open_page(width=390)
    views = page.locator("#tweet-list thead button:has-text('Views')")
    assert views.bounding_box()["height"] >= 24
    views.click()
    views.click()
    assert page.get_attribute("#tweet-list thead th:nth-child(6)", "aria-sort") == "ascending"
    page.click("#tweet-list tbody tr:first-child summary")
    links = page.locator("#tweet-list tbody tr:first-child .view a").all()
    assert links
    assert all(link.bounding_box()["height"] >= 24 for link in links)
    index = open_page(width=390, path=pages[Edition.CLIENT].with_name("index.html"))
    index.click("thead button:has-text('Campaign')")
    assert index.inner_text("table.campaigns tbody tr:first-child a").startswith("Launch")


def test_paper_says_what_it_leaves_out_and_heads_go_on_the_next_sheet(open_page: Open) -> None:
    page = open_page()
    page.emulate_media(media="print")
    text = page.inner_text("main")
    for said in ("The first 15 of 30.", "The 10 newest engagements", "On paper the first 12"):
        assert said in text
    for untrue in ("ago)", "Open a tweet", "The 50 newest"):
        assert untrue not in text
    head = "getComputedStyle(document.querySelector('#tweet-list thead th:nth-child(6)'), '::after').content"
    assert page.evaluate(head) == '"Views"'
    assert page.locator("#tweet-list thead button").first.is_hidden()


def test_a_phone_has_no_invisible_stop_and_the_skip_link_comes_first(open_page: Open) -> None:
    page = open_page(width=390)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(40):
        page.keyboard.press("Tab")
        size = page.evaluate(FOCUSED)
        assert size > 16


AXE = "axe.run({runOnly: %s, resultTypes: ['violations']})"
RULES = {
    "light": "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']",
    "dark": "['color-contrast']",  # nothing but colours differs there
}


@pytest.mark.skipif(find_spec("axe_playwright_python") is None, reason="needs axe-playwright-python")
@pytest.mark.parametrize("width", WIDTHS[:3])
@pytest.mark.parametrize("scheme", list(RULES))
@pytest.mark.parametrize("name", ["client", "operator", "index"])
def test_axe_finds_nothing_with_every_fold_open(
    open_page: Open, pages: dict[Edition, Path], width: int, scheme: str, name: str
) -> None:
    from axe_playwright_python.base import AXE_FILE_PATH  # type: ignore[import-untyped]

    path = pages[Edition.CLIENT].with_name("index.html") if name == "index" else pages[Edition(name)]
    page = open_page(width=width, color_scheme=scheme, path=path, bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    found = page.evaluate(AXE % RULES[scheme])["violations"]
    assert [(rule["id"], rule["nodes"][0]["target"]) for rule in found] == []


@pytest.mark.slow
def test_it_prints_on_six_pages_of_a4_at_most(pages: dict[Edition, Path]) -> None:
    content = as_pdf("launch", pages[Edition.OPERATOR].read_bytes()).content
    assert content.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 6


def test_only_the_operators_page_of_an_active_campaign_refreshes_itself(
    open_page: Open, pages: dict[Edition, Path]
) -> None:
    assert open_page().locator("[data-refresh]").count() == 0
    assert open_page(path=pages[Edition.OPERATOR]).locator("[data-refresh]").count() == 1
