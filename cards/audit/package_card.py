"""Claims on the cards inside a BioImage.IO package: its record, documentation and description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cards.audit.card_text import FAMILY, CardText, supported_by, text_claims
from cards.audit.claims import Claim, Processing, joined, sentence
from cards.audit.description import read_description
from cards.audit.package_model import unlike_record
from cards.audit.packages import PackageFiles
from cards.audit.run_files import config_problems
from cards.audit.stated import stated_differences
from cards.audit.text import Supported
from cards.audit.values import differences, shown
from cards.audit.versions import must_equal
from cards.bioimageio import description_values, identity_values, render_documentation
from cards.bioimageio_config import config_values
from cards.errors import InputError
from cards.markdown import plain
from cards.record import RunRecord

RECORD = "record.json"
# A package is written before it is verified: its record does not hold the results.
LATER = ("exports", "files", "runtimes", "warnings")
TOLERANCE = "reproducibility_tolerance"  # does not follow from the record
EXPORT_AGAIN = "Restore the package that finetune exported, or export it again."


@dataclass(frozen=True)
class _Package:
    """A package with its description and the record inside.

    Attributes:
        files: of the package.
        description: content of rdf.yaml.
        record: the record inside.
        supported: what that record supports.
        strict: whether the description has to equal the one that this version writes.
        processing: what follows from the record; None if it is not compared.
    """

    files: PackageFiles
    description: dict[str, Any]
    record: RunRecord
    supported: Supported
    strict: bool
    processing: Processing | None


def package_claims(
    files: PackageFiles,
    record: RunRecord,
    *,
    alone: bool,
    processing: Callable[[RunRecord], Processing] | None,
) -> list[Claim]:
    """Compare record, documentation and description inside a package with the record of the run.

    Args:
        files: of the package.
        record: record of the model under audit.
        alone: whether that record comes from the package itself.
        processing: see `cards.audit.claims.Tools`; None if it is not compared.

    Returns:
        The claims.

    Raises:
        ModelError: if the description cannot be read.
    """
    claims: list[Claim] = []
    inside = record
    if not alone:
        place = files.place(RECORD)
        statement = f"{place} is the record of this run."
        try:
            inside = RunRecord.parse(files.read(RECORD), place)
        except InputError as error:
            return [Claim(FAMILY, statement, "broken", sentence(error), EXPORT_AGAIN)]
        claims.append(_same_record(statement, inside, record))
    strict = must_equal(inside)
    description = read_description(files)
    expected = processing(inside) if processing else None
    package = _Package(files, description, inside, supported_by(inside), strict, expected)
    return [*claims, _description(package), *_source_code(package), *_documentation(package)]


def _same_record(statement: str, inside: RunRecord, record: RunRecord) -> Claim:
    found, expected = (
        {key: value for key, value in one.model_dump(mode="json").items() if key not in LATER}
        for one in (inside, record)
    )
    problems = differences(found, expected)
    if odd := [warning for warning in inside.warnings if warning not in record.warnings]:
        problems.append(f"warnings: {shown(odd[0])} is not in the record of the run")
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), EXPORT_AGAIN)
    return Claim(
        FAMILY, statement, "holds", f"Compared except for {', '.join(LATER)}, which are written later."
    )


def _source_code(package: _Package) -> list[Claim]:
    """Compare the code of the network, which other tools execute, with that of this version of finetune."""
    weights = package.description.get("weights")
    entry = weights.get("pytorch_state_dict") if isinstance(weights, dict) else None
    architecture = entry.get("architecture") if isinstance(entry, dict) else None
    if not isinstance(architecture, dict) or package.processing is None:
        return []
    source, known = architecture.get("source"), package.processing.sources
    place = package.files.place(str(source))
    statement = f"{place}, which tools such as bioimageio.core execute, is source code of finetune."
    remedy = f"Read {place} before you open the package in another tool; finetune does not execute it."
    if known is None:
        return [Claim(FAMILY, statement, "cannot tell", "The network is of another package.", remedy)]
    if source not in package.files.names:
        return [Claim(FAMILY, statement, "broken", f"{place} is missing.", EXPORT_AGAIN)]
    code = package.files.read(source).decode("utf-8", "replace")
    if code in known.get(str(architecture.get("callable")), ()):
        return [Claim(FAMILY, statement, "holds", "Equal to the code that this version writes.")]
    if package.strict:
        evidence = "It is not the code that this version writes."
        return [Claim(FAMILY, statement, "broken", evidence, EXPORT_AGAIN)]
    evidence = "Written by another version of finetune, whose code may differ."
    return [Claim(FAMILY, statement, "cannot tell", evidence, remedy)]


def _documentation(package: _Package) -> list[Claim]:
    documentation = package.description.get("documentation")
    source = documentation.get("source") if isinstance(documentation, dict) else documentation
    statement = f"{package.files.path or 'The package'} contains documentation."
    if not isinstance(source, str) or source not in package.files.names:
        return [Claim(FAMILY, statement, "broken", "rdf.yaml names no file of the package.", EXPORT_AGAIN)]
    place = package.files.place(source)
    content = package.files.read(source)
    try:
        found = content.decode("utf-8")
    except UnicodeDecodeError as error:
        evidence = f"{place}: not UTF-8 text (byte {error.start})."
        return [Claim(FAMILY, statement, "broken", evidence, EXPORT_AGAIN)]
    text = CardText(place, found, render_documentation(package.record))
    return text_claims(text, package.record, package.supported)


def _description(package: _Package) -> Claim:
    place = package.files.place(package.files.description or "rdf.yaml")
    statement = f"Every figure, name, license and date in {place} is that of the record."
    problems = [*_identity(package), *_config(package)]
    if package.strict:
        problems += unlike_record(package.description, package.record, package.processing)
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), EXPORT_AGAIN)
    return Claim(FAMILY, statement, "holds", "Description, config.bioimageio and config.finetune compared.")


def _identity(package: _Package) -> list[str]:
    found, expected = package.description, description_values(package.record)
    problems = []
    for key in ("name", "parent", "authors"):
        problems += differences({key: found.get(key) or None}, {key: expected.get(key) or None})
    for key in ("maintainers", "git_repo"):
        if package.strict or found.get(key):  # earlier versions of finetune wrote neither
            problems += differences({key: found.get(key)}, {key: expected.get(key)})
    entries = found.get("weights")
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        if isinstance(entry, dict) and entry.get("authors"):
            where = f"weights.{name}.authors"
            problems += differences(entry["authors"], expected["authors"], where)
    for key in ("description", "cite", "tags"):
        problems += stated_differences(
            found.get(key) or [], expected[key], package.supported, strict=package.strict, where=key
        )
    if not _same_time(found.get("timestamp"), expected["timestamp"]):
        problems.append(f"timestamp: {shown(found.get('timestamp'))}, recorded {expected['timestamp']}")
    return [*problems, *_license(package)]


def _same_time(found: Any, expected: str) -> bool:
    try:
        return datetime.fromisoformat(str(found)) == datetime.fromisoformat(expected)
    except (ValueError, TypeError):
        return False


def _license(package: _Package) -> list[str]:
    """A license without an SPDX id is a file with its name."""
    found = package.description.get("license")
    if isinstance(found, dict) and isinstance(source := found.get("source"), str):
        found = package.files.read(source).decode("utf-8", "replace").strip()
    stated = plain(package.record.card.license or "")
    if str(found or "").lower() == stated.lower():
        return []
    return [f"license: {shown(found or 'none')}, the record states {stated or 'none'}"]


def _config(package: _Package) -> list[str]:
    config = package.description.get("config")
    config = config if isinstance(config, dict) else {}
    bioimageio, own = config.get("bioimageio") or {}, config.get("finetune") or {}
    if not isinstance(bioimageio, dict) or not isinstance(own, dict):
        return ["config: expected keys and values"]
    record = package.record
    problems = stated_differences(
        {key: value for key, value in bioimageio.items() if key != TOLERANCE},
        config_values(record),
        package.supported,
        strict=package.strict,
        where="config.bioimageio",
    )
    identity = identity_values(record)
    # The hash of the record is that of its file, which an earlier version wrote with fewer fields.
    identity["record_sha256"] = package.files.sha256(RECORD)
    problems += differences(
        {key: value for key, value in own.items() if key in identity}, identity, "config.finetune"
    )
    problems += _covers(package, own)
    if "prediction" in own:
        found = config_problems(own["prediction"], record)
        problems += [f"config.finetune.prediction.{problem}" for problem in found]
    return problems


def _covers(package: _Package, own: dict[str, Any]) -> list[str]:
    """Compare the covers with their hashes in `config.finetune`; until format 0.5.10, `covers` has none."""
    covers = package.description.get("covers")
    sources = [entry.get("source") if isinstance(entry, dict) else entry for entry in covers or ()]
    stated = own.get("covers_sha256")
    where = "config.finetune.covers_sha256"
    if stated is None and package.record.environment.renderer_sha256 is None:
        return []  # earlier versions of finetune wrote none
    if not isinstance(stated, dict):
        return [f"{where} is missing"] if sources else []
    problems = [f"{where}: {name} is not among the covers" for name in stated if name not in sources]
    for name in (name for name in sources if name in package.files.names):
        if (found := package.files.sha256(name)) != stated.get(name):
            problems.append(f"{name}: SHA-256 {found[:12]}…, {where} states {shown(stated.get(name))}")
    return problems
