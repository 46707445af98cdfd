from __future__ import annotations

import re
from html.parser import HTMLParser

from example_parts import HOSTILE

from cards import figures as pictures
from cards import huggingface
from cards.report import render_html

PAGE = "html head meta title style body main h1 h2 h3 p a blockquote code pre ul li strong em details summary"
TABLES = "div table thead tbody tr th td figure img figcaption"
ALLOWED = {*PAGE.split(), *TABLES.split()}


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.text += data


def harmless(text):
    page = Page(text)
    assert set(page.tags) <= ALLOWED
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert {value.split(":")[0] for name, value in page.attributes if name == "src"} <= {"data"}
    assert {value.split(":")[0] for name, value in page.attributes if name == "href"} <= {"http", "https"}
    return page


def test_one_file_with_everything(full, tmp_path):
    pictures.histogram(full.accuracy.after, full.accuracy.before, tmp_path / "histogram.png")
    text = render_html(huggingface.render_body(full, ["histogram.png"]), tmp_path)
    page = harmless(text)
    assert page.tags.count("img") == 1
    assert "<title>U-Net for nuclei in fluorescence images</title>" in text
    assert 'src="data:image/png;base64,' in text
    assert page.tags.count("details") == 4
    assert "0.9263 ± 0.0417" in page.text
    assert "default-src 'none'" in text
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text
    assert "url(" not in text


def test_hostile_text_is_shown_and_does_nothing(full, tmp_path):
    full.card.title = full.card.description = full.data.id = HOSTILE
    full.card.limits = ["<img src=x onerror=alert(1)>", "<details><summary>x</summary>", "{{content}}"]
    page = harmless(render_html(huggingface.render_body(full), tmp_path))
    assert '<script>alert("1")</script>' in page.text
    assert "<img src=x onerror=alert(1)>" in page.text
    assert "{{content}}" in page.text


def test_a_title_that_names_the_place_of_the_content_is_text(full, tmp_path):
    full.card.title = "{{content}}"
    page = render_html(huggingface.render_body(full), tmp_path)
    assert "<h1" not in page.partition("</title>")[0]


def test_a_body_that_was_not_rendered_by_us_does_nothing_either(tmp_path):
    (tmp_path.parent / "secret.png").write_bytes(b"secret")
    body = (
        "# <script>alert(1)</script>\n\n<script>alert(1)</script>\n\n"
        "<details onclick='a'>\n\na <b onclick='x'>b</b>\n\n"
        "![x](https://example.com/x.png) ![y](pictures/../secret.png) ![z](pictures/gone.png)\n\n"
        "[click](javascript:alert(1)) <javascript:alert(1)>\n"
    )
    page = harmless(render_html(body, tmp_path))
    assert "img" not in page.tags
    assert "<script>alert(1)</script>" in page.text


def test_pages_without_pictures_or_figures(sparse, tmp_path):
    page = harmless(render_html(huggingface.render_body(sparse), tmp_path))
    assert "img" not in page.tags
    assert re.search(r"License\s+not stated", page.text)
