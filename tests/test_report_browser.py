"""The page in a real browser: what it shows of each state, filters, CSV, keyboard, widths, paper, no request."""

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
from support.pages import SAID, STATES, read_page

from socap_cli.model.campaign import CampaignStatus, TweetCategory
from socap_cli.report.mail import compose
from socap_cli.report.page import campaign_page, index_page, summary
from socap_cli.report.publish import as_pdf
from socap_cli.report.values import CampaignReport, Edition

pytestmark = needs_browser
Open = Callable[..., Any]
States = tuple[dict[str, Path], dict[str, CampaignReport]]
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
    row: dict[str, Any] = summary(one.report())
    summaries = [row, {**row, "slug": "other", "name": "Other"}]
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


def test_pages_of_10_can_be_turned_by_keyboard_and_stand_in_the_address(open_page: Open) -> None:
    page = open_page()
    assert rows(page) == 10
    page.focus("#pages button:last-child")
    for _ in range(12):
        page.keyboard.press("Enter")
    assert "page 13 of 13" in page.inner_text("#pages")
    assert rows(page) == 10
    assert page.url.endswith("#page=13")
    assert rows(open_page("#page=13")) == 10
    assert "page 13 of 13" in open_page("#page=99").inner_text("#pages")


def test_rows_are_sorted_by_importance_or_time(open_page: Open) -> None:
    page = open_page()
    assert page.inner_text("#list tbody tr:first-child .score") == "50"
    page.select_option("#f-sort", "time")
    times = page.eval_on_selector_all("#list time", "all => all.map(e => e.dateTime)")
    assert times == sorted(times, reverse=True)
    assert len(times) == 10


def test_nothing_found_is_said_with_a_way_out(open_page: Open) -> None:
    page = open_page("#q=nobody-at-all")
    assert "No matching engagements" in page.inner_text("#list")
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


def test_tweets_are_grouped_ten_are_shown_and_each_group_is_sorted_by_any_column(open_page: Open) -> None:
    page = open_page()
    assert page.locator("#tweet-list tbody tr[data-tweet]:visible").count() == 10
    groups = page.locator("#tweet-list tr.group th").all_inner_texts()
    assert groups == ["Client 10 tweets", "Influencers 10 tweets", "Investors 10 tweets", "All"]
    page.click("label[for=every-tweet]")
    assert page.locator("#tweet-list tbody tr[data-tweet]:visible").count() == 30
    page.click("#tweet-list thead button:has-text('Engagements')")
    assert page.get_attribute("#tweet-list thead th:nth-child(2)", "aria-sort") == "ascending"
    cells = page.locator("#tweet-list tbody:first-of-type tr[data-tweet] td:nth-child(2)").all_inner_texts()
    assert cells == sorted(cells, key=int)
    assert page.locator("#tweet-list tbody:first-of-type tr").first.get_attribute("class") == "group"


def test_a_tweet_leads_to_its_engagements(open_page: Open) -> None:
    page = open_page()
    page.locator("#tweet-list tr[data-tweet='100'] a.see").click()
    assert shown(page) == "7 of 130 engagements"
    assert page.input_value("#f-tweet") == "100"


def test_pace_and_total_are_switched_without_a_script(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator(".of-pace .plot.wide").is_visible()
    assert page.locator(".of-total .plot.wide").is_hidden()
    page.click("label[for=by-total]")
    assert page.locator(".of-total .plot.wide").is_visible()
    assert page.locator(".of-pace .plot.wide").is_hidden()


def test_without_scripts_the_page_is_whole(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator("#tools").is_hidden()
    assert rows(page) == 10
    assert "The first 10 by importance" in page.inner_text("#all")
    page.click("#people summary")
    assert page.locator("#people tbody tr").nth(30).is_visible()
    page.click("#quality summary")
    assert page.locator("#quality .defs").first.is_visible()


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
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shown = page.locator(".plot:visible")
    if name != "index":
        assert shown.count() == 1
        letters = page.evaluate(LETTERS)
        assert letters >= 9.5


OUTSIDE = """[...document.querySelectorAll('.card')].flatMap(card => {
    const room = card.getBoundingClientRect();
    return [...card.querySelectorAll('*')].filter(e => {
        const box = e.getBoundingClientRect();
        return box.width > 1 && !e.closest('.scroll, svg, .clamp') && (box.right > room.right || box.left < room.left);
    }).map(e => `${card.id} ${e.tagName} ${e.textContent.slice(0, 40)}`);
})"""
CUT = """[...document.querySelectorAll('td, tbody th, dd')].filter(
    e => e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1 && !e.closest('.scroll')
).map(e => `${e.closest('[id]').id} ${e.textContent.slice(0, 40)}`)"""


@pytest.mark.parametrize("width", [1440, 961, 821, 390, 320])
def test_nothing_sticks_out_of_its_card_or_its_cell(
    open_page: Open, pages: dict[Edition, Path], width: int
) -> None:
    for path in (pages[Edition.OPERATOR], pages[Edition.CLIENT].with_name("index.html")):
        page = open_page(width=width, path=path)
        page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate(CUT) == []
        assert page.evaluate(LETTERS) >= 9.5


def test_tweets_are_sorted_on_a_phone_too(open_page: Open) -> None:
    page = open_page(width=390)
    views = page.locator("#tweet-list thead button:has-text('Views')")
    assert views.bounding_box()["height"] >= 24
    views.click()
    assert page.get_attribute("#tweet-list thead th:nth-child(7)", "aria-sort") == "descending"
    assert page.locator("#tweet-list a.see").first.bounding_box()["height"] >= 24


def test_paper_has_no_controls_and_heads_go_on_the_next_sheet(open_page: Open) -> None:
    page = open_page()
    page.emulate_media(media="print")
    text = page.inner_text("main")
    for untrue in ("ago)", "see all", "Explore", "show all"):
        assert untrue not in text
    head = "getComputedStyle(document.querySelector('#tweet-list thead th:nth-child(7)'), '::after').content"
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


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> States:
    """A page of each state that a campaign can be in; the viral one holds a part of its engagements."""
    folder = tmp_path_factory.mktemp("states")
    reports = {name: make().report(rows=200 if name == "viral" else 5000) for name, make in STATES.items()}
    for name, report in reports.items():
        (folder / f"{name}.html").write_text(campaign_page(report, BRAND, UTC), encoding="utf-8")
    rows = [{**summary(report), "slug": name} for name, report in reports.items()]
    (folder / "index.html").write_text(index_page(rows, BRAND, UTC, edition=Edition.CLIENT), encoding="utf-8")
    return {path.stem: path for path in folder.iterdir()}, reports


FIRST_SCREEN = """[...document.querySelectorAll('main *')].filter(
    e => !e.children.length && e.getBoundingClientRect().top < 900
).map(e => e.textContent).join(' ')"""
NOTES = (
    "[...document.querySelectorAll('.note')].filter(e => e.checkVisibility()).map(e => e.innerText).join(' ')"
)
SIZES = """[...new Set([...document.querySelectorAll('main *')].filter(
    e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())
).map(e => getComputedStyle(e).fontSize))]"""


def test_the_first_screen_says_result_pace_and_completeness(open_page: Open, states: States) -> None:
    said = {name: open_page(path=states[0][name]).evaluate(FIRST_SCREEN) for name in STATES}
    for name in ("viral", "month"):
        assert re.search(r"new engagements? in the last 24 h, .* (than|as) the day before", said[name])
    assert "down from" in said["one-tweet"]
    assert "in 3 days" in said["finished"]
    for name in ("viral", "month", "one-tweet", "finished"):
        assert re.search(r"[\d.]+% of what X counts is collected, no gaps", said[name])
    assert "No engagements yet (checked 3 Mar 2026, 12:00 UTC)" in said["no-engagement"]
    assert "First check: 3 Mar 2026, 12:00 UTC" in said["not-started"]


def test_pages_are_short_say_little_and_have_few_sizes_of_letters(open_page: Open, states: States) -> None:
    for name in STATES:
        for width, most in ((1440, 5400), (390, 11_000)):
            page = open_page(path=states[0][name], width=width)
            assert page.evaluate("document.documentElement.scrollHeight") <= most
            assert len(page.evaluate(NOTES).split()) <= 150
            assert len(page.evaluate(SIZES)) <= 6
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_campaign_without_engagements_has_no_chart_and_is_short(open_page: Open, states: States) -> None:
    for name in ("no-engagement", "not-started"):
        page = open_page(path=states[0][name])
        assert page.evaluate("document.documentElement.scrollHeight") <= 1400
        assert page.locator("svg").count() == 0
    assert "@maker0" in open_page(path=states[0]["no-engagement"]).inner_text("#tweets")


def test_important_people_are_at_the_threshold_and_so_many_more_is_true(
    open_page: Open, states: States
) -> None:
    page = open_page(path=states[0]["viral"])
    page.click("#people summary")
    scores = page.locator("#people .score").all_inner_texts()
    assert len(scores) == 100
    assert min(float(score.split()[-1]) for score in scores) >= 10
    assert "40 on your list: @partner_0, @partner_1, @partner_2 and 37 more" in page.inner_text("#people")
    assert "Nobody with a score of 10 or more" in open_page(path=states[0]["one-tweet"]).inner_text("#people")


def test_a_counter_has_one_value_wherever_it_is_shown(open_page: Open, states: States) -> None:
    page, report = open_page(path=states[0]["viral"]), states[1]["viral"]
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    retweets = f"{report.engagements['retweet']:,}"
    assert page.inner_text("[data-figure=collected-retweet]") == retweets
    assert page.locator("#f-action option[value=retweet]").inner_text() == f"Retweets ({retweets})"
    new = sum(report.new_by_action["retweet"])
    assert f"{new:,} retweets" in page.get_attribute(".of-pace", "aria-label")
    assert page.inner_text("[data-figure=engagements]") == f"{report.collected:,}"


def test_a_filter_names_how_many_were_collected_when_the_page_holds_a_part(
    open_page: Open, states: States
) -> None:
    report = states[1]["viral"]
    page = open_page("#action=reply", path=states[0]["viral"])
    assert re.fullmatch(rf"\d+ on this page of {report.engagements['reply']:,} collected", shown(page))
    page.fill("#f-q", "ada")
    assert shown(page).endswith("on this page, which holds 200 of 1,500 collected engagements")


OTHER_WORDS = (
    "whose tweets?|did|deeds?|engagers?|strangers?|crowd|trust this|before monitoring began|look(?:ed|s)?|scan(?:ned)?|"
    "taken back|gone|holders?|swept|given up|let go|away|silent|told|frequency|letters?|receivers?|post office|"
    "it may have arrived|found after|through whom|mix|only here|elsewhere"
)


def test_pages_and_mails_use_one_word_for_one_idea(pages: dict[Edition, Path], states: States) -> None:
    texts = [read_page(path.read_text()).text for path in (*states[0].values(), pages[Edition.OPERATOR])]
    for report in states[1].values():
        edition = compose(report, BRAND, UTC)
        texts += [read_page(edition.html).text, edition.text]
    assert len(texts) == 20
    for text in texts:
        assert re.findall(rf"\b(?:{OTHER_WORDS})\b", text.replace(SAID[0], ""), re.IGNORECASE) == []


PERCENTAGES = """[...document.querySelectorAll('main, main *')].flatMap(e => [...e.childNodes].filter(
    n => n.nodeType === 3 && n.textContent.includes('%')
).map(n => [
    e.closest('#tweets, #quality, #operations, .kpi, .sub, .story').id || e.closest('[class]').className,
    n.textContent.trim(),
]))"""
COMPARED = r"(over )?\d+% (fewer|more|slower|faster) than the .*before"
"""Against the period before; everything else with a percentage is a rate, a coverage or a share."""
MAY_BE_PERCENTAGES = {
    "story": rf".* in the last .*, {COMPARED}; .*", "delta down": COMPARED, "delta up": COMPARED,
    "sub": r"[\d.]+% of what X counts is collected, no gaps", "value": r"[\d.]+%",
    "delta": r"[\d.]+% (in the last 24 h|the day before|in the .* before)",
    "tweets": r"[\d.]+%", "quality": r"[\d.]+%|[\d.]+% of what X counts is collected, no gaps:",
    "operations": r"\d+% fewer than polling everything",
}  # fmt: skip


def test_no_percentage_is_of_a_running_total(open_page: Open, states: States) -> None:
    for name, report in states[1].items():
        found = open_page(path=states[0][name]).evaluate(PERCENTAGES)
        strange = [one for one in found if not re.fullmatch(MAY_BE_PERCENTAGES.get(one[0], ""), one[1])]
        assert strange == [], name
        assert bool(found) == (report.collected > 0)
        pace = report.figures["engagements"].pace
        if (
            pace
            and pace.before
            and report.campaign.status is CampaignStatus.ACTIVE
            and abs(pace.change or 0) < 1
        ):
            text = open_page(path=states[0][name]).inner_text(".kpi:first-child")
            change = round(100 * (1 - pace.new / pace.before))
            assert (f"{change}% fewer" if pace.new else f"down from {pace.before}") in text


UNITS = """[...document.querySelectorAll('.plot .unit')].filter(e => e.checkVisibility()).map(e => {
    const box = e.getBoundingClientRect();
    const size = parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a;
    return [e.textContent, size >= 9.5 && box.left >= 0 && box.right <= innerWidth];
})"""


@pytest.mark.parametrize("width", WIDTHS)
def test_every_visible_axis_names_its_unit(open_page: Open, states: States, width: int) -> None:
    unit = dict.fromkeys(STATES, "engagements per hour") | {"month": "engagements per day"}
    for name in STATES:
        page = open_page(path=states[0][name], width=width)
        drawn = states[1][name].collected > 0
        assert page.evaluate(UNITS) == ([[unit[name], True]] if drawn else [])
        if drawn:
            page.click("label[for=by-total]")
            assert page.evaluate(UNITS) == [["engagements in all", True]]
    index = open_page(path=states[0]["index"], width=width)
    assert index.evaluate(UNITS) == [["new engagements since the start, by age", True]]


def test_campaigns_of_the_same_age_are_on_one_scale(open_page: Open, states: States) -> None:
    page = open_page(path=states[0]["index"])
    ends = page.evaluate(
        "[...document.querySelectorAll('.plot.wide path[fill=none]:not([d^=\"M48\"][stroke-opacity])')].map("
        "e => { const p = e.getPointAtLength(e.getTotalLength()); const b = e.getPointAtLength(0);"
        " return [e.nextElementSibling.textContent, p.x - b.x, b.y - p.y]; })"
    )
    grown = {report.campaign.name: report for report in states[1].values()}
    scales = []
    for name, width, height in ends:
        at, values = grown[name].series.growth[-1]
        days = (at - grown[name].campaign.starts_at) / timedelta(days=1)
        scales.append(
            (width / days, height / sum(values[kind] for kind in ("retweets", "replies", "quotes")))
        )
    assert len(scales) == 4
    for axis in zip(*scales, strict=True):
        assert max(axis) <= min(axis) * 1.05
