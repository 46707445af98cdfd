"""Names of provenance files, and which files of a model a signature leaves out."""

from __future__ import annotations

from fnmatch import fnmatch

SIGNATURE = "model.sig"
"""Signature of the folder that contains it."""

PACKAGE, NATIVE = "package", "native"
PARTS = {PACKAGE: "package.sig", NATIVE: "native.sig"}
"""Signatures of folders that a published repository has in addition: the unpacked BioImage.IO package and the
files in the format of the network's own repository. `model.sig` there leaves both folders out."""

PACKAGE_DESCRIPTIONS = {"bioimageio.yaml": "rdf.yaml"}
"""Name of the description of a package in a published repository, and in the package itself."""

SIGNATURES = tuple(
    f"{place}{name}" for place in ("", "huggingface/") for name in (SIGNATURE, *PARTS.values())
)

NEVER_SIGNED = ("logs", "checkpoints")
"""Left out of the signature of a run folder: loggers write until their process ends, and people delete
checkpoints to save space. The record, which is signed, has the hash of each checkpoint."""

ADDED_LATER = ("model.cdx.json", "croissant.json", "audit.html", "audit.json")
"""Descriptions that may be added after signing. One that exists when the folder is signed is signed, too."""

FOREIGN = (
    ".git",
    ".git/*",
    ".gitattributes",
    ".gitignore",
    ".github/*",
    ".cache/*",
    ".DS_Store",
    "*/.DS_Store",
    "Thumbs.db",
    "*/Thumbs.db",
)
"""Files that git, the client of the Hub or a file manager adds. Their content is never part of a model."""

REQUIRED = (
    "README.md",
    "record.json",
    "config.json",
    "rdf.yaml",
    "bioimageio.yaml",
    "*.safetensors",
    "*.pt",
    "*.pth",
    "*.onnx",
    "*.h5",
    "*.npz",
    "*.zip",
    "*.bin",
)
"""Card, record, configuration and weights: a signature that leaves one of them out protects nothing."""


def is_foreign(name: str) -> bool:
    """Whether a file does not belong to a model although it is in its folder.

    Args:
        name: path in the folder, with forward slashes.

    Returns:
        True for files of git, of the client of the Hub, and of file managers.
    """
    return any(fnmatch(name, pattern) for pattern in FOREIGN)


def is_required(name: str) -> bool:
    """Whether a signature must cover a file.

    Args:
        name: path in the folder, with forward slashes.

    Returns:
        True for card, record, configuration, packages and weights, except for checkpoints.
    """
    if name.split("/")[0] in ("logs", "checkpoints"):
        return False
    return any(fnmatch(name.rsplit("/", 1)[-1], pattern) for pattern in REQUIRED)
