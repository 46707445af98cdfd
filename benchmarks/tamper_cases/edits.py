"""Edits of a run folder: text, record, weights, package and images, with or without correcting the hashes."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cards.fingerprint import sha256_file
from cards.record import File, RunRecord
from cards.rendering import render_files

HUB = "huggingface"


@dataclass(frozen=True)
class Place:
    """A copy of a clean run, which a tamper may change.

    Attributes:
        run: the run folder.
        data: the folder with its images.
        key: private key in PEM format, with the public key beside it; of the author.
    """

    run: Path
    data: Path
    key: Path

    @property
    def package(self) -> Path:
        """The BioImage.IO package of the run."""
        return next((self.run / "bioimageio").glob("*.zip"))


Change = Callable[[Place], None]


def write_key(path: Path) -> None:
    """Write a private key without a password, and the public key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    path.with_suffix(".pub").write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, public))


def text(name: str, pattern: str, new: str) -> Change:
    """Replace the first match of a regular expression in a file, and leave its recorded hash as it was."""

    def change(place: Place) -> None:
        path = place.run / name
        found, count = re.subn(pattern, new, path.read_text(encoding="utf-8"), count=1)
        assert count, f"{pattern} is not in {name}"
        path.write_text(found, encoding="utf-8")

    return change


def described(pattern: str, new: str) -> Change:
    """Write the ML-BOM of the run, and replace the first match of a regular expression in it."""

    def change(place: Place) -> None:
        from cards.provenance.mlbom import ml_bom

        (place.run / "model.cdx.json").write_text(ml_bom(RunRecord.read(place.run)), encoding="utf-8")
        text("model.cdx.json", pattern, new)(place)

    return change


def hidden(change: Change) -> Change:
    """Correct the hashes in the record after a change, as someone would who hides it."""

    def both(place: Place) -> None:
        change(place)
        write_record(place.run, RunRecord.read(place.run))

    return both


def recorded(change: Callable[[RunRecord], object]) -> Change:
    """Change the record, render the cards from it, and correct all hashes: only the package tells."""

    def apply(place: Place) -> None:
        record = RunRecord.read(place.run)
        change(record)
        record = with_present_files(place.run, record)
        rendered = render_files(record, place.run / HUB / "pictures", place.run)
        (place.run / HUB / "README.md").write_bytes(rendered["README.md"])
        (place.run / "report.html").write_bytes(rendered["report.html"])
        write_record(place.run, record)

    return apply


def with_present_files(run: Path, record: RunRecord) -> RunRecord:
    """The record with the present hashes of its files."""
    files = [
        File(path=file.path, sha256=sha256_file(path), bytes=path.stat().st_size)
        for file in record.files
        if (path := run / file.path).is_file()
    ]
    return record.model_copy(update={"files": files})


def write_record(run: Path, record: RunRecord) -> None:
    """Write both copies of the record with the present hashes of its files."""
    written = with_present_files(run, record).dumps()
    for folder in (run, run / HUB):
        (folder / "record.json").write_text(written, encoding="utf-8")


def weight(path: str, delta: float = 0.5) -> Change:
    """Change one number of a safetensors file."""

    def change(place: Place) -> None:
        content = bytearray((place.run / path).read_bytes())
        content[-4:] = np.float32(np.frombuffer(content[-4:], np.float32)[0] + delta).tobytes()
        (place.run / path).write_bytes(content)

    return change


def packaged(change: Callable[[dict[str, bytes]], object]) -> Change:
    """Change files of the package, and correct the hashes in its description and in the record."""

    def apply(place: Place) -> None:
        path = place.package
        with zipfile.ZipFile(path) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        before = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
        change(content)
        description = content["rdf.yaml"].decode()
        for name, data in content.items():
            if name in before and name != "rdf.yaml":
                description = description.replace(before[name], hashlib.sha256(data).hexdigest())
        content["rdf.yaml"] = description.encode()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in content.items():
                archive.writestr(name, data)
        recorded(lambda record: None)(place)  # the cards state the size and the hash of the package

    return apply


def inside(name: str, pattern: str, new: str) -> Change:
    """Replace the first match of a regular expression in a text file of the package."""

    def change(content: dict[str, bytes]) -> None:
        found, count = re.subn(pattern, new, content[name].decode(), count=1)
        assert count, f"{pattern} is not in {name}"
        content[name] = found.encode()

    return packaged(change)


def stored_weight(name: str) -> Change:
    """Change one number of the largest tensor in a file of torch inside the package."""

    def change(content: dict[str, bytes]) -> None:
        with zipfile.ZipFile(io.BytesIO(content[name])) as archive:
            members = {member.filename: archive.read(member) for member in archive.infolist()}
        largest = max((key for key in members if "/data/" in key), key=lambda key: len(members[key]))
        numbers = np.frombuffer(members[largest], np.float32).copy()
        numbers[0] += 0.5
        members[largest] = numbers.tobytes()
        content[name] = zipped(members)

    return packaged(change)


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip without compression, as torch writes it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for key, data in members.items():
            archive.writestr(key, data)
    return target.getvalue()


def checkpoint(change: Callable[[dict[str, bytes]], object]) -> Change:
    """Change files inside the checkpoint of the selected epoch, and leave its recorded hash as it was."""

    def apply(place: Place) -> None:
        path = place.run / "checkpoints" / "best.ckpt"
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: archive.read(member) for member in archive.infolist()}
        change(members)
        path.write_bytes(zipped(members))

    return apply


def onnx_weight(content: dict[str, bytes]) -> None:
    """Change one number of the largest tensor in the ONNX file of a package."""
    import onnx

    model = onnx.load_model_from_string(content["weights.onnx"])
    largest = max(model.graph.initializer, key=lambda entry: len(entry.raw_data))
    numbers = np.frombuffer(largest.raw_data, np.float32).copy()
    numbers[0] += 0.5
    largest.raw_data = numbers.tobytes()
    content["weights.onnx"] = model.SerializeToString()


def config(change: Callable[[dict[str, Any]], object]) -> Change:
    """Change config.json, and correct its hash."""

    def apply(place: Place) -> None:
        path = place.run / HUB / "config.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content), encoding="utf-8")

    return hidden(apply)


def image(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Change a TIFF file in the data folder."""

    def apply(place: Place) -> None:
        path = place.data / name
        tifffile.imwrite(path, change(tifffile.imread(path)))

    return apply


def moved(name: str, to: str) -> Change:
    """Move an image with its mask to another folder of the data."""

    def apply(place: Place) -> None:
        for kind in ("images", "masks"):
            (place.data / name.format(kind)).rename(place.data / to.format(kind))

    return apply
