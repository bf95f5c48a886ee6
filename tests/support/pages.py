"""A rendered page, read as a person would: its figures and its texts."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = frozenset({"meta", "img", "input", "br", "link", "hr"})


class PageReader(HTMLParser):
    """Collects every figure by its name, the words outside scripts, all ids and all links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.figures: dict[str, str] = {}
        self.words: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self._open: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        if facts.get("id"):
            self.ids.append(str(facts["id"]))
        if tag == "a" and facts.get("href"):
            self.links.append(str(facts["href"]))
        if tag not in VOID:
            self._open.append((tag, facts.get("data-figure")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if any(tag in ("script", "style") for tag, _ in self._open):
            return
        self.words.append(data)
        for _, name in self._open:
            if name:
                self.figures[name] = self.figures.get(name, "") + data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read_page(html: str) -> PageReader:
    reader = PageReader()
    reader.feed(html)
    return reader
