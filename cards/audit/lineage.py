"""Family "lineage": base model, its revision and hash, and the models from which it descends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cards.audit.claims import Claim, Subject, joined, record_of
from cards.record import Origin, RunRecord

FAMILY = "lineage"
RESTORE = "Restore the record, or ask its author from which model the run started."
OBTAIN = "Download the base model, or audit on a machine that has it in its cache."


def check(subject: Subject) -> list[Claim]:
    """Check base model and parents.

    Args:
        subject: the model under audit.

    Returns:
        The claims.

    Raises:
        InputError: if there is no record.
    """
    record = record_of(subject)
    return [_stated(record), _base(subject, record), *_parents(record), *_adapters(subject, record)]


def _stated(record: RunRecord) -> Claim:
    """The base model is that of the recipe, and is identified."""
    statement = "The record identifies the base model, and it is that of the recipe."
    base, section = record.model.base, record.recipe_section("model")
    problems = []
    if "repository" in section and section["repository"] != record.model.architecture.repository:
        problems.append(f"recipe: {section['repository']}, network of {record.model.architecture.repository}")
    own = not section.get("checkpoint")  # a checkpoint replaces the weights of the named model
    name = section.get("name")
    if own and name is not None and not (_is_package_file(str(name), base) or _same_name(str(name), base)):
        problems.append(f"recipe: {name}, base model {base.id}")
    revision = str(section.get("revision") or "")
    is_commit = re.fullmatch("[0-9a-f]{7,64}", revision)  # tags and branches move
    found = (base.revision or "").removeprefix("sha256:")
    if own and found and is_commit and not found.startswith(revision):
        problems.append(f"recipe: revision {revision}, base model {base.revision}")
    if base.weights == "random":
        stated = {"sha256": base.sha256, "revision": base.revision}
        problems += [f"random weights have a {key}: {value}" for key, value in stated.items() if value]
        if own and section.get("pretrained") is True and record.accuracy and record.accuracy.before:
            problems.append("there are scores before training, which random weights do not have")
    elif base.sha256 is not None and not _is_hash(base.sha256):
        problems.append(f"{base.sha256} is no SHA-256")
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    if base.weights == "random":
        return Claim(FAMILY, statement, "holds", "The weights were initialized at random.")
    if base.sha256 is None:
        return Claim(FAMILY, statement, "cannot tell", f"No hash of {base.id} is recorded.", RESTORE)
    return Claim(
        FAMILY, statement, "holds", f"{base.id}, {base.revision or 'no revision'}, {base.sha256[:12]}…"
    )


def _is_package_file(name: str, base: Origin) -> bool:
    """Whether a name is that of a package on the machine of the run, which says nothing about the model."""
    in_collection = base.bioimageio_id is not None and Path(name).suffix not in (".zip", ".yaml")
    return base.repository == "bioimageio" and not in_collection


def _same_name(name: str, base: Origin) -> bool:
    names = [base.id, base.hub_id, base.bioimageio_id]
    stems = {Path(name).stem, Path(name).name, name}
    return any(other and (other in stems or Path(other).stem in stems) for other in names)


def _is_hash(text: str) -> bool:
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)


def _base(subject: Subject, record: RunRecord) -> Claim:
    """Compare the base model with the one that can be reached."""
    statement = "The base model has the recorded hash and license."
    base = record.model.base
    if base.weights == "random":
        return Claim(FAMILY, statement, "holds", "There is no base model: the weights were random.")
    facts = subject.tools.base_facts(record) if subject.tools.base_facts else None
    if facts is None:
        return Claim(FAMILY, statement, "cannot tell", f"{base.id} is not at hand.", OBTAIN)
    problems = []
    if facts.license is not None and facts.license != base.license:
        problems.append(f"license {base.license}, {facts.source}: {facts.license}")
    if facts.sha256 is not None and base.sha256 is not None and facts.sha256 != base.sha256:
        problems.append(f"SHA-256 {base.sha256[:12]}…, {facts.source}: {facts.sha256[:12]}…")
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    if facts.sha256 is None or base.sha256 is None:
        evidence = f"License compared with {facts.source}; the weights of {base.id} are not at hand."
        return Claim(FAMILY, statement, "cannot tell", evidence, OBTAIN)
    return Claim(FAMILY, statement, "holds", f"SHA-256 {facts.sha256[:12]}…, compared with {facts.source}.")


def _parents(record: RunRecord) -> Iterator[Claim]:
    """Each parent is identified, and none occurs twice."""
    parents = record.model.base.parents
    if not parents:
        return
    statement = "Every model from which the base model descends is identified."
    problems: list[str] = []
    seen: set[object] = {record.model.base.sha256}
    for parent in parents:
        hashes = {"record": parent.record_sha256, "weights": parent.weights_sha256}
        problems += [
            f"{parent.name}: {key} {value} is no SHA-256"
            for key, value in hashes.items()
            if value and not _is_hash(value)
        ]
        identity = parent.weights_sha256 or (parent.repository, parent.name, parent.revision)
        if identity in seen:
            problems.append(f"{parent.name} is its own ancestor")
        seen.add(identity)
    if problems:
        yield Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
        return
    chain = " ← ".join(parent.name for parent in parents)
    unknown = [parent.name for parent in parents if not (parent.weights_sha256 or parent.revision)]
    if unknown:
        yield Claim(
            FAMILY, statement, "cannot tell", joined(f"{name} has no hash" for name in unknown), OBTAIN
        )
    else:
        yield Claim(FAMILY, statement, "holds", f"{chain}.")


def _adapters(subject: Subject, record: RunRecord) -> Iterator[Claim]:
    """An adapter works with one base model only, which it names."""
    root = subject.folder
    places = [*root.glob("native/**/adapter_config.json"), *root.glob("adapter_config.json")]
    for path in sorted(places):
        name = path.relative_to(root).as_posix()
        statement = f"{name} names the base model of the record, and the recorded rank."
        config = _json(path)
        adapt, base = record.model.adapt, record.model.base
        problems = []
        if adapt is None or adapt.name != "lora":
            problems.append("the record states no LoRA adapter")
        found = config.get("base_model_name_or_path")
        if found and found not in {base.hub_id, base.id}:
            problems.append(f"base model {found}, recorded {base.hub_id or base.id}")
        revision = config.get("revision")
        if revision and base.revision and revision != base.revision:
            problems.append(f"revision {revision}, recorded {base.revision}")
        rank = adapt.options.get("rank") if adapt else None
        if rank is not None and config.get("r") not in (None, rank):
            problems.append(f"rank {config.get('r')}, recorded {rank}")
        if problems:
            yield Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
        else:
            yield Claim(FAMILY, statement, "holds", f"{found or base.id}, rank {config.get('r', rank)}.")


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
