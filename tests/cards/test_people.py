"""Authors: names as text, or names with ORCID iD, affiliation and GitHub account."""

from __future__ import annotations

import json

import jsonschema
import pytest
from pydantic import ValidationError

from cards import huggingface
from cards.authored import Card
from cards.bioimageio import description_values, render_documentation
from cards.citations import citations
from cards.people import Author, check_digit
from cards.record import RunRecord, json_schema


def card(*authors) -> Card:
    return Card(title="A title", description="A sentence.", authors=list(authors))


# Published examples: ORCID's own, and two of its support pages, one of which ends in X.
@pytest.mark.parametrize("orcid", ["0000-0002-1825-0097", "0000-0001-5109-3700", "0000-0002-1694-233X"])
def test_published_orcid_ids_have_the_right_check_digit(orcid):
    assert check_digit(orcid[:-1]) == orcid[-1]
    assert Author(name="Jane Doe", orcid=orcid).orcid == orcid


@pytest.mark.parametrize(
    "orcid",
    ["0000-0002-1825-0098", "0000-0002-1852-0097", "0000-0002-1694-2330", "0000000218250097", "Jane", ""],
)
def test_an_orcid_id_with_a_typing_error_is_refused(orcid):
    with pytest.raises(ValidationError, match="ORCID iD"):
        Author(name="Jane Doe", orcid=orcid)


def test_the_address_of_an_orcid_page_is_shortened_to_the_id():
    assert Author(name="Jane", orcid="https://orcid.org/0000-0002-1825-0097").orcid == "0000-0002-1825-0097"


@pytest.mark.parametrize("account", ["@jane", "https://github.com/jane", "jane doe", "-jane", "j" * 41, ""])
def test_what_is_no_github_account_is_refused(account):
    with pytest.raises(ValidationError, match="GitHub account"):
        Author(name="Jane Doe", github_user=account)


def test_names_stay_text_so_that_older_records_keep_their_hash(sparse):
    sparse.card = card("Jane Doe", {"name": "John Roe", "github_user": "john"})
    stated = json.loads(sparse.dumps())["card"]["authors"]
    assert stated == ["Jane Doe", {"name": "John Roe", "github_user": "john"}]
    again = RunRecord.parse(sparse.dumps(), "record.json")
    assert again == sparse
    assert again.digest() == sparse.digest()


@pytest.mark.parametrize("author", [7, None, ["Jane Doe"]])
def test_other_values_are_no_author(author):
    with pytest.raises(ValidationError, match="an author is a name"):
        card(author)


def test_the_schema_of_the_record_accepts_both_forms(sparse):
    schema = json_schema()["$defs"]["Author"]
    for valid in ("Jane Doe", {"name": "Jane Doe", "orcid": "0000-0002-1825-0097", "github_user": "jane"}):
        jsonschema.validate(valid, schema)
    for invalid in (
        7,
        {"orcid": "0000-0002-1825-0097"},
        {"name": "Jane", "orcid": "1"},
        {"name": "J", "x": 1},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(invalid, schema)


def test_every_card_names_the_authors_with_their_pages(full):
    row = next(line for line in huggingface.render_body(full).splitlines() if line.startswith("| Authors |"))
    for text in (row, render_documentation(full)):
        assert "Ada Example (Example University; <https://orcid.org/0000-0002-1825-0097>; " in text
        assert "<https://github.com/ada-example>), Grace Example" in text


def test_the_description_of_a_package_names_authors_and_maintainers(full):
    ada = {
        "name": "Ada Example",
        "orcid": "0000-0002-1825-0097",
        "affiliation": "Example University",
        "github_user": "ada-example",
    }
    values = description_values(full)
    assert values["authors"] == [ada, {"name": "Grace Example"}]
    assert values["maintainers"] == [ada]


def test_without_a_github_account_a_package_has_no_maintainer(sparse):
    sparse.card = card("Jane/Doe")
    values = description_values(sparse)
    assert values["authors"] == [{"name": "Jane Doe"}]
    assert "maintainers" not in values


def test_a_model_with_authors_can_be_cited(full):
    text, bibtex = (entry for entry in citations(full) if entry.what == "This model")
    assert text.text == (
        "Ada Example and Grace Example (2026). U-Net for nuclei in fluorescence images. "
        "Machine-learning model. "
        "https://doi.org/10.1000/182"
    )
    assert bibtex.text.splitlines() == [
        "@misc{example2026,",
        "  title = {{U-Net for nuclei in fluorescence images}},",
        "  author = {Ada Example and Grace Example},",
        "  year = {2026},",
        "  doi = {10.1000/182}",
        "}",
    ]


def test_characters_of_latex_cannot_end_the_bibtex_entry(sparse):
    sparse.card = Card(title="50 % of {cells} & more}", description="A sentence.", authors=["Zoë Öz"])
    _, bibtex = citations(sparse)[:2]
    assert bibtex.text.startswith("@misc{oz")
    assert r"title = {{50 \% of cells \& more}}" in bibtex.text


def test_without_authors_there_is_nothing_to_cite(full):
    full.card.authors = []
    assert [entry.what for entry in citations(full)] == ["Data", "Data", "Base model"]


@pytest.mark.parametrize("author", ["", " ", {"name": ""}])
def test_an_author_without_a_name_is_refused(author):
    with pytest.raises(ValidationError, match="the name of an author must not be empty"):
        card(author)
