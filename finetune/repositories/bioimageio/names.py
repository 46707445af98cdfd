"""Names of models in the BioImage.IO Model Zoo: ids, nicknames and DOIs."""

from __future__ import annotations

import re

from finetune.repositories.listings import stored_models

DOI = re.compile(r"10\.5281/zenodo\.\d+")
WEB = re.compile(r"(https?://(dx\.)?doi\.org/|doi:)")

# The zoo's server finds models by their ids only. DOIs of all versions and of version 7, from the zoo's first
# index (github.com/bioimage-io/collection-bioimage-io, rdfs/10.5281/zenodo.5764892/6647674).
KNOWN_DOIS = {"10.5281/zenodo.5764892": "affable-shark", "10.5281/zenodo.6647674": "affable-shark"}


def known_id(name: str) -> str:
    """Find the zoo's id of a model that a user names by its DOI.

    Args:
        name: id, nickname, DOI or web address of a DOI.

    Returns:
        The id if the DOI is known, also from the list that `finetune models --refresh` stored; otherwise the
        name.
    """
    doi = WEB.sub("", name)
    if not DOI.fullmatch(doi):
        return name
    if doi in KNOWN_DOIS:
        return KNOWN_DOIS[doi]
    stored = stored_models("bioimageio")
    return next((info.name for info in stored.models if doi in info.aliases), doi)
