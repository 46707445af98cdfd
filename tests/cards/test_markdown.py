from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cards import markdown
from cards.base import NetworkSpec
from cards.markdown import code, escape, fenced, linked, literal, paragraphs, plain, safe, table

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"])) | st.text(
    "|`*_[]()<>#-+=~&;!\\1. \n\tab"
)


def read(text):
    """The kinds of block of a text, and its inline parts as (kind, content)."""
    tokens = READER.parse(text)
    inline = [child for token in tokens for child in token.children or []]
    blocks = [token.type for token in tokens if token.type != "inline"]
    return blocks, [(child.type, child.content) for child in inline]


def literally(parts):
    assert {kind for kind, _ in parts} <= {"text"}
    return "".join(content for _, content in parts)


@given(TEXTS)
def test_escaped_text_is_only_text(text):
    if not plain(text):
        return
    blocks, parts = read(escape(text))
    assert blocks == ["paragraph_open", "paragraph_close"]
    assert literally(parts) == plain(text)


@given(TEXTS)
def test_escaped_text_stays_in_its_cell(text):
    if not plain(text):
        return
    blocks, parts = read(table([["a", "b"], [text, "last"]]))
    assert blocks.count("td_open") == 2
    assert [part for part in parts if part[0] != "text"] == []
    assert "".join(content for _, content in parts) == f"ab{plain(text)}last"


@given(TEXTS)
def test_escaped_text_stays_in_its_heading(text):
    if not plain(text):
        return
    blocks, parts = read(f"# {escape(text)}\n\nnext")
    assert blocks[:3] == ["heading_open", "heading_close", "paragraph_open"]
    assert literally(parts) == f"{plain(text)}next"


@given(TEXTS)
def test_a_block_of_code_holds_what_it_was_given(text):
    tokens = READER.parse(f"{fenced(text, 'yaml')}\n\nafter")
    assert [token.type for token in tokens][:2] == ["fence", "paragraph_open"]
    assert tokens[0].content.strip("\n") == text.strip().replace("\r\n", "\n").replace("\r", "\n").replace(
        "\0", "�"
    )


def test_addresses_become_links_and_the_rest_stays_text():
    blocks, parts = read(linked("see *https://example.com/a_b?c=1*. [x](javascript:alert(1)) <b>"))
    assert ("link_open", "") in parts
    assert ("text", "https://example.com/a_b?c=1") in parts
    assert [kind for kind, _ in parts].count("link_open") == 1
    assert not [part for part in parts if part[0] in ("html_inline", "em_open")]
    assert blocks == ["paragraph_open", "paragraph_close"]


def test_blank_lines_part_paragraphs():
    assert paragraphs("One.\ntwo\n\n\n# three") == "One. two\n\n\\# three"


def test_code_in_a_table_keeps_its_row():
    blocks, _ = read(table([["a"], [code("x|y`z")]]))
    assert blocks.count("td_open") == 1
    assert code("a/b_c.tif") == "`a/b_c.tif`"


def test_a_literal_is_one_line_of_python():
    text = 'a"b\\\n```c'
    assert "\n" not in literal(text)
    assert eval(literal(text)) == text


@pytest.mark.parametrize("value", [None, 0.5, True, "", markdown.environment().undefined(name="x")])
def test_nothing_goes_out_unworded(value):
    with pytest.raises((TypeError, ValueError)):
        safe(value)


def test_options_are_written_in_alphabetical_order_at_every_depth():
    """A record is stored with sorted keys: a card from the stored record equals the one of the run."""
    one = NetworkSpec(repository="r", name="net", options={"config": {"b": 1, "a": {"d": 2, "c": 3}}})
    two = NetworkSpec(repository="r", name="net", options={"config": {"a": {"c": 3, "d": 2}, "b": 1}})
    assert markdown.call(one) == markdown.call(two) == '`net(config={"a": {"c": 3, "d": 2}, "b": 1})`'
