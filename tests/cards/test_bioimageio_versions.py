from __future__ import annotations

import zipfile

import pytest

from cards.bioimageio_versions import lower_package, lowest_version

CHANNELS = {"type": "channel", "channel_names": ["foreground", "boundary"]}
PLAIN = {"inputs": [{"axes": [{"type": "batch"}, CHANNELS]}], "outputs": [{"axes": [CHANNELS]}]}


def test_a_description_is_written_for_the_version_that_the_zoo_runs():
    assert lowest_version(PLAIN) == "0.5.10"


@pytest.mark.parametrize(
    "change",
    [
        {"outputs": [{"axes": [{"type": "channel", "channel_names": ["cell body"]}]}]},
        {"inputs": [{"axes": [CHANNELS], "output_of": "other-model"}]},
    ],
)
def test_a_feature_of_a_newer_version_needs_that_version(change):
    assert lowest_version(PLAIN | change) == "0.5.12"


def test_covers_and_documentation_are_plain_strings_and_other_files_stay(tmp_path):
    text = """%YAML 1.2
---
format_version: 0.5.12
covers:
  - source: cover.png
    sha256: 8a743f98978a2ec8a500c1a1a48f8c2c4efde10cfdc73e010b4ff6e985ee1a54
documentation:
  source: README.md
  sha256: cb2a62a49112538745d635e9afd7749b2be040fda3fb12d5fb29809ea6cf3733
license:
eps: 1e-06
timestamp: '2026-11-25T23:45:17+00:00'
"""
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("rdf.yaml", text)
        package.writestr("README.md", "# Model")
    assert lower_package(path) == "0.5.10"
    with zipfile.ZipFile(path) as package:
        written = package.read("rdf.yaml").decode()
        assert package.read("README.md") == b"# Model"
    assert written.splitlines()[2:] == [
        "format_version: 0.5.10",
        "covers:",
        "  - cover.png",
        "documentation: README.md",
        "license:",
        "eps: 1e-06",
        "timestamp: '2026-11-25T23:45:17+00:00'",
    ]
