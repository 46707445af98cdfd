"""Lists in a recipe: authors and other entries, and errors that name entry and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from recipe_errors import complaint

from finetune.recipe.reader import read_recipe, write_recipe

AUTHORS = """
  authors:
    - Jane Doe
    - name: John Roe
      orcid: 0000-0002-1825-0097
      affiliation: Example University
      github_user: johnroe
    - {orcid: 0000-0002-1694-233X, name: Ann Poe}
"""


def with_authors(recipe_file: Path, old: str = "", new: str = "") -> Path:
    assert old in AUTHORS
    recipe_file.write_text(recipe_file.read_text().rstrip() + AUTHORS.replace(old, new, 1))
    return recipe_file


def test_authors_are_names_or_people(recipe_file: Path, tmp_path: Path) -> None:
    recipe = read_recipe(with_authors(recipe_file))
    assert [author.name for author in recipe.card.authors] == ["Jane Doe", "John Roe", "Ann Poe"]
    assert [author.github_user for author in recipe.card.authors] == [None, "johnroe", None]
    write_recipe(recipe, tmp_path / "again.yaml")
    assert read_recipe(tmp_path / "again.yaml", ["name=discs"]) == recipe


@pytest.mark.parametrize(
    ("old", "new", "entry", "key", "message"),
    [
        (
            "1825-0097",
            "1825-0098",
            "orcid: 0000-0002-1825-0098",
            "card.authors[1].orcid",
            "the check digit of the ORCID iD is wrong",
        ),
        (
            "github_user:",
            "github:",
            "github: johnroe",
            "card.authors[1].github",
            "unknown key; did you mean github_user?",
        ),
        (
            "johnroe",
            "'@johnroe'",
            "github_user: '@johnroe'",
            "card.authors[1].github_user",
            "must be the name of a GitHub account",
        ),
        (
            ", name: Ann Poe",
            "",
            "- {orcid: 0000-0002-1694-233X}",
            "card.authors[2].name",
            "missing; this key is required",
        ),
        ("- Jane Doe", "- 7", "- 7", "card.authors[0]", "an author is a name, or the keys name, orcid"),
        (
            "Example University",
            "[a, b]",
            "affiliation: [a, b]",
            "card.authors[1].affiliation",
            "must be text, got ['a', 'b']",
        ),
    ],
)
def test_a_mistake_inside_a_list_is_told_with_its_line(
    recipe_file: Path, old: str, new: str, entry: str, key: str, message: str
) -> None:
    (line,) = complaint(with_authors(recipe_file, old, new)).splitlines()
    number = int(line.removeprefix(f"{recipe_file}:").partition(":")[0])
    assert line.startswith(f"{recipe_file}:{number}: {key}: {message}")
    assert recipe_file.read_text().splitlines()[number - 1].strip() == entry


def test_a_mistake_in_an_overridden_list_is_told_without_a_line(recipe_file: Path) -> None:
    message = complaint(recipe_file, "card.authors=[Jane Doe, {name: John Roe, orcid: '1'}]")
    assert message.startswith("override card.authors[1].orcid: an ORCID iD has the form")


def test_an_entry_that_is_no_text_is_told_with_its_position(recipe_file: Path) -> None:
    message = complaint(recipe_file, "card.limits=[Small images only., 5]")
    assert message == "override card.limits[1]: input should be a valid string, got 5"
