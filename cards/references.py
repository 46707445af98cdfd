"""Licenses and citations in the notation of Hugging Face and BioImage.IO."""

from __future__ import annotations

import re

from pydantic import HttpUrl, TypeAdapter, ValidationError

# https://huggingface.co/docs/hub/repositories-licenses
_LISTED = """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
    bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear
    c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0
    cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl
    ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1
    lgpl-3.0 isc h-research intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl
    openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr
    deepfloyd-if-license fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3
    llama4 grok2-community gemma
"""
HUB_LICENSES = frozenset(_LISTED.split())

# Licenses whose Hugging Face identifier is shorter than the SPDX id.
_HUB_NAMES = {"odc-by-1.0": "odc-by", "odbl-1.0": "odbl", "pddl-1.0": "pddl", "gfdl-1.3": "gfdl"}

_DOI = re.compile(r"\b10\.[0-9]{4,9}/[^\s\"<>{}|\\^`]*[^\s\"<>{}|\\^`.,;:)\]]")
_URL = re.compile(r"https?://[^\s\"<>{}|\\^`]*[^\s\"<>{}|\\^`.,;:)\]]")


def hub_license(license: str) -> str | None:
    """Convert an SPDX id to the identifier of Hugging Face.

    Args:
        license: SPDX id.

    Returns:
        The identifier; None if Hugging Face does not list the license.
    """
    name = re.sub(r"-(only|or-later)$", "", license.strip().lower())
    name = _HUB_NAMES.get(name, name)
    return name if name in HUB_LICENSES else None


def find_doi(citation: str) -> str | None:
    """Find the first DOI in a citation.

    Args:
        citation: text or BibTeX.

    Returns:
        The DOI without a prefix, e.g. `10.1038/s41592-019-0612-7`; None if there is none.
    """
    found = _DOI.search(citation)
    return found.group() if found else None


def find_url(citation: str) -> str | None:
    """Find the first web address in a citation.

    Args:
        citation: text or BibTeX.

    Returns:
        The address; None if there is none.
    """
    for found in _URL.finditer(citation):
        try:
            TypeAdapter(HttpUrl).validate_python(found.group())
        except ValidationError:
            continue
        return found.group()
    return None


def is_bibtex(citation: str) -> bool:
    """Whether a citation is a BibTeX entry.

    Args:
        citation: text or BibTeX.

    Returns:
        True for BibTeX.
    """
    return re.match(r"\s*@\w+\s*\{", citation) is not None
