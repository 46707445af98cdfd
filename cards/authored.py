"""The part of the record that the author writes: the section `card` of a recipe."""

from __future__ import annotations

from pydantic import Field

from cards.base import RecordModel, Url
from cards.people import Author


class Links(RecordModel):
    """Web pages about the model."""

    repository: Url | None = Field(None, description="source code of the project")
    paper: Url | None = Field(None, description="publication on the model")
    demo: Url | None = None


class Card(RecordModel):
    """Statements of the author."""

    title: str
    description: str
    authors: list[Author] = Field(
        [], description="each a name, or the keys name, orcid, affiliation and github_user"
    )
    license: str | None = None
    intended_use: str | None = None
    out_of_scope: str | None = Field(None, description="uses for which the model is not suitable")
    limits: list[str] = Field([], description="known limitations, one sentence each")
    biases: list[str] = Field([], description="known biases of the training images, one sentence each")
    risks: list[str] = Field([], description="risks of using the model, one sentence each")
    recommendations: list[str] = Field([], description="advice to users, one sentence each")
    tags: list[str] = Field([], description="keywords, such as nuclei and fluorescence-light-microscopy")
    images: str | None = Field(None, description="specimens, stain, microscope and pixel size of the images")
    funding: str | None = Field(None, description="who paid for the work, with grant numbers")
    contact: str | None = Field(None, description="where users can ask questions")
    links: Links = Links()
