"""A parser of the HTML report, for tests."""

from __future__ import annotations

from html.parser import HTMLParser


class ParsedPage(HTMLParser):
    """A parser that collects the texts of the panes, and the classes of the elements around each of their characters."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.open, self.panes, self.around, self.tags, self.attributes, self.words = [], [], [], [], [], []
        self.sources = {}
        self.feed(page.replace("\r\n", "\n").replace("\r", "\n"))  # as browsers do before parsing
        self.close()
        assert self.open == [], "an element is not closed"

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append(tag)
        self.attributes.append((tag, values))
        if tag not in ("meta", "input"):
            self.open.append((tag, values.get("class", "").split()))
        if "text" in values.get("class", "").split():
            self.panes.append("")
            self.around.append([])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if any("text" in classes for _, classes in self.open):
            self.panes[-1] += data
            self.around[-1] += [{name for _, classes in self.open for name in classes}] * len(data)
        elif self.open and self.open[-1][0] in ("style", "script"):
            self.sources.setdefault(self.open[-1][0], []).append(data)
        else:
            self.words.append(data)

    def where(self, name, document=0):
        """Return the offsets of the characters of a pane that are inside an element of this class."""
        return {offset for offset, classes in enumerate(self.around[document]) if name in classes}

    def values(self, name):
        return [values[name] for _, values in self.attributes if name in values]
