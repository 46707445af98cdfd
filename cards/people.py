"""Authors of a model: a name, or a name with ORCID iD, affiliation and GitHub account."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from cards.base import RecordModel

ORCID_PAGE = "https://orcid.org/"
GITHUB_PAGE = "https://github.com/"
_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
# Letters, digits and single hyphens between them; some old accounts end in a hyphen.
_GITHUB_USER = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}-?")


def check_digit(digits: str) -> str:
    """Compute the last character of an ORCID iD by ISO 7064 MOD 11-2.

    Source: ORCID, "Structure of the ORCID Identifier",
    https://support.orcid.org/hc/en-us/articles/360006897674.

    Args:
        digits: the first 15 digits; hyphens are ignored.

    Returns:
        A digit, or "X" for 10.
    """
    total = 0
    for digit in digits.replace("-", ""):
        total = (total + int(digit)) * 2
    value = (12 - total % 11) % 11
    return "X" if value == 10 else str(value)


def _orcid(text: str) -> str:
    """Check format and check digit; the address of the page at orcid.org is accepted, too."""
    found = text.strip().removeprefix(ORCID_PAGE)
    if not _ORCID.fullmatch(found):
        raise ValueError("an ORCID iD has the form 0000-0002-1825-0097")
    if found[-1] != check_digit(found[:-1]):
        raise ValueError(
            "the check digit of the ORCID iD is wrong; compare the iD with your page at orcid.org"
        )
    return found


def _github_user(name: str) -> str:
    if not _GITHUB_USER.fullmatch(name):
        raise ValueError("must be the name of a GitHub account, such as octocat, without @ or web address")
    return name


def _text(pattern: str) -> WithJsonSchema:
    """The JSON Schema of text; pydantic's own would replace the messages above by the pattern."""
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


Orcid = Annotated[str, AfterValidator(_orcid), _text(f"({ORCID_PAGE})?{_ORCID.pattern}")]
GithubUser = Annotated[str, AfterValidator(_github_user), _text(_GITHUB_USER.pattern)]


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("the name of an author must not be empty")
    return text


class Author(RecordModel):
    """A person. Recipes and records may state the name alone, as text."""

    name: Annotated[str, AfterValidator(_name)]
    orcid: Orcid | None = Field(None, description="ORCID iD, such as 0000-0002-1825-0097")
    affiliation: str | None = None
    github_user: GithubUser | None = Field(
        None, description="name of the GitHub account; the BioImage.IO collection requires it of one author"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if not isinstance(value, dict | Author):
            raise ValueError("an author is a name, or the keys name, orcid, affiliation and github_user")
        return value

    @model_serializer
    def _as_stated(self) -> str | dict[str, str]:
        """A name alone is text, so that records of earlier versions keep their hash."""
        stated = self.stated()
        return self.name if set(stated) == {"name"} else stated

    def stated(self) -> dict[str, str]:
        """List what is stated about the person.

        Returns:
            Values by key, without those that are not stated.
        """
        values = {
            "name": self.name,
            "orcid": self.orcid,
            "affiliation": self.affiliation,
            "github_user": self.github_user,
        }
        return {key: value for key, value in values.items() if value}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Accept a name as text.

        Args:
            core_schema: pydantic's schema of the class.
            handler: makes the JSON Schema of the mapping.

        Returns:
            A JSON Schema of both forms.
        """
        return {"anyOf": [{"type": "string", "description": "name"}, handler(core_schema)]}
