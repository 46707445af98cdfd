"""BioImage.IO packages of strangers: bombs, links, local paths, damaged weights, absurd sizes, code.

Each is tried by `predict` (rows bp_*) and by `run --dry-run` (rows br_*).
"""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import shutil
from collections.abc import Callable
from functools import partial as bind
from pathlib import Path

import numpy as np

from fault_cases import inputs
from fault_cases.archives import zeros, zipped
from fault_cases.bench import Bench, Result
from fault_cases.judge import labels, need, nothing, quiet, refused, survived
from fault_cases.registry import fault
from fault_cases.weights import Evil, evil_zip

CODE = """
from cards.errors import InputError
from finetune.repositories.bioimageio.collection import open_package
try:
    print(open_package({source!r}).license)
except InputError as error:
    print("InputError", error)
"""


def edit(package: Path, old: str, new: str) -> Path:
    """Replace text in a description."""
    path = package / "rdf.yaml"
    text = path.read_text()
    changed = re.sub(old, lambda _: new, text, count=1)
    assert changed != text, old
    path.write_text(changed)
    return package


def source(package: Path, name: str, new: str) -> Path:
    """Point one entry of a description at another file, without a hash."""
    return edit(package, rf"source: {re.escape(name)}\n +sha256: \w+", f"source: {new}")


def put(package: Path, name: str, content: bytes) -> Path:
    """Replace a file of a package, and its hash in the description."""
    (package / name).write_bytes(content)
    path, digest = package / "rdf.yaml", hashlib.sha256(content).hexdigest()
    path.write_text(
        re.sub(rf"(source: {re.escape(name)}\n +sha256: )\w+", rf"\g<1>{digest}", path.read_text())
    )
    return package


def _bomb(bench: Bench, package: Path, name: str) -> Path:
    """A zip whose member expands to almost 4 GB."""
    if name != "rdf.yaml":
        source(package, name, name)
    members = {path.name: path.read_bytes() for path in package.iterdir() if path.name != name}
    start = {name: (package / name).read_bytes() + b"\n# "}
    path = package.with_suffix(".zip")
    path.write_bytes(zeros({name: 4 * 2**30 - 2**25}, members, start))
    shutil.rmtree(package)
    return path


def _state_dict(bench: Bench, package: Path, architecture: str, content: bytes | None = None) -> Path:
    """Weights as a state dict only, with an architecture of the author's choice."""
    (package / "evil.py").write_text("import os\nos.system('touch pwned')\n\n\nclass Net: pass\n")
    if content is None:
        evil_zip(package / "sd.pt")
    else:
        (package / "sd.pt").write_bytes(content)
    entry = "weights:\n  pytorch_state_dict:\n    source: sd.pt\n    pytorch_version: 2.6.0\n"
    entry += f"    architecture:\n{architecture}"
    return edit(package, r"weights:\n(?s:.*)", entry)


def _state(package: Path) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(torch.jit.load(str(package / "weights.pt")).state_dict(), buffer)
    return buffer.getvalue()


FILE = "      source: evil.py\n      callable: Net\n"
SYSTEM = "      callable: system\n      import_from: os\n      kwargs: {command: touch pwned}\n"


def _onnx(bench: Bench, package: Path) -> Path:
    """ONNX weights only, with external data in a local file."""
    import onnx

    shutil.rmtree(package)
    inputs.package(bench, formats=("onnx",))
    model = onnx.load(str(package / "weights.onnx"))
    tensor = model.graph.initializer[0]
    size = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    secret = "../" * 12 + str(bench.secret_file).lstrip("/")
    for key, value in {"location": secret, "offset": "0", "length": str(size)}.items():
        tensor.external_data.add(key=key, value=value)
    return put(package, "weights.onnx", model.SerializeToString())


def _object_array(bench: Bench, package: Path) -> Path:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Evil()], dtype=object), allow_pickle=True)
    return put(package, "test_input.npy", buffer.getvalue())


def _dots(bench: Bench) -> str:
    return "../" * 12 + str(bench.secret_file).lstrip("/")


def _flip(bench: Bench, package: Path) -> Path:
    inputs.flip(package / "weights.pt", 0.3)
    return package


def _aliases(bench: Bench, package: Path) -> Path:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 10)]
    text = "config:\n" + "".join(f"  {line}\n" for line in lines)
    return edit(package, r"type: model\n", f"type: model\n{text}")


def _cut(bench: Bench, package: Path) -> Path:
    path = zipped(package)
    inputs.cut(path)
    return path


OK, SAME = "fine", "as usual"
Make = Callable[[Bench, Path], Path]
PACKAGES: dict[str, tuple[str, Make, str]] = {
    "slip": ("zip with ../ names", lambda b, p: zipped(p, {"../../pwned": b"x"}), OK),
    "abs": ("zip with an absolute name", lambda b, p: zipped(p, {str(b.folder / "pwned"): b"x"}), OK),
    "npy": ("test_input.npy with a pickled object", _object_array, OK),
    "hugesize": (
        "declared size 100,000,000",
        lambda b, p: edit(edit(p, r"size: 64", "size: 100000000"), r"size: 64", "size: 100000000"),
        OK,
    ),
    "hugehalo": (
        "declared halo 10^9",
        lambda b, p: edit(p, r"axis_id: y\n", "axis_id: y\n        halo: 1000000000\n"),
        "",
    ),
    "sym": ("zip whose weights are a link to a local file", lambda b, p: _link(b, p), ""),
    "cut": ("zip cut in half", _cut, ""),
    "flip": ("weights with one bit flipped, hash in the description", _flip, ""),
    "lol": ("alias bomb in rdf.yaml", _aliases, ""),
    "bomb": ("weights of 4 GB in a small zip", bind(_bomb, name="weights.pt"), ""),
    "rdfbomb": ("description of 4 GB in a small zip", bind(_bomb, name="rdf.yaml"), ""),
    "pytag": (
        "rdf.yaml with python/object/apply",
        lambda b, p: edit(
            p, "description: .*", "description: !!python/object/apply:os.system ['touch pwned']"
        ),
        "",
    ),
    "srcabs": (
        "weights source: a local file",
        lambda b, p: source(p, "weights.pt", str(b.secret_file)),
        "",
    ),
    "srcdots": ("weights source: ../../passwd", lambda b, p: source(p, "weights.pt", _dots(b)), ""),
    "srchttp": (
        "weights source: http://127.0.0.1:9",
        lambda b, p: source(p, "weights.pt", "http://127.0.0.1:9/w.pt"),
        "",
    ),
    "licfile": (
        "license source: a local file",
        lambda b, p: edit(p, "license: MIT", f"license:\n  source: {b.secret_file}"),
        "",
    ),
    "licdots": (
        "license source: ../../passwd",
        lambda b, p: edit(p, "license: MIT", f"license:\n  source: {_dots(b)}"),
        "",
    ),
    "onnxext": ("ONNX with external data in a local file", _onnx, ""),
    "arch": (
        "architecture with a source, no trust",
        lambda b, p: zipped(_state_dict(b, p, FILE, _state(p))),
        "",
    ),
    "archlib": (
        "architecture = os.system, no trust",
        lambda b, p: _state_dict(b, p, SYSTEM, _state(p)),
        "",
    ),
    "evilsd": ("state dict that is a pickle, no trust", lambda b, p: _state_dict(b, p, FILE), ""),
    "tspickle": (
        "TorchScript replaced by a pickle",
        lambda b, p: put(p, "weights.pt", pickle.dumps(Evil())),
        "",
    ),
}


def _link(bench: Bench, package: Path) -> Path:
    edit(package, r"source: weights.pt\n +sha256: \w+", "source: weights_link.pt")
    (package / "weights.pt").unlink()
    return zipped(package, links={"weights_link.pt": str(bench.secret_file)})


def _light(result: Result) -> None:
    need(result.memory < 3e9, f"{result.memory / 1e9:.1f} GB of memory")


def _predict(bench: Bench, make: Make, fine: str) -> None:
    path = make(bench, inputs.package(bench))
    inputs.images(bench, names=("a",))
    result = bench.run("predict", path.name, "pred", "--out", "out", timeout=40)
    _light(result)
    if fine:
        survived(result, path.name)
        need(result.code or list(labels(bench)) == ["a"], "no labels")
    else:
        refused(result, path.name)
        nothing(bench)


def _dry_run(bench: Bench, make: Make, fine: str, trust: bool = False) -> None:
    path = make(bench, inputs.package(bench))
    file = inputs.package_recipe(bench, path.name)
    more = ("model.trust=true",) if trust else ()
    result = bench.run("run", file, *more, "--out", "out", "--dry-run", timeout=40)
    _light(result)
    if fine:
        survived(result, path.name)
    else:
        refused(result, path.name)
    nothing(bench, preview=result.code == 0)


for _id, (_what, _make, _fine) in PACKAGES.items():
    fault((f"bp_{_id}", f"predict: {_what}"))(bind(_predict, make=_make, fine=_fine))
    fault((f"br_{_id}", f"run --dry-run: {_what}"))(bind(_dry_run, make=_make, fine=_fine))

fault(("br_archlib_t", "run --dry-run: architecture = os.system, with trust"))(
    bind(
        _dry_run,  # with trust code runs, as it says: the command itself does nothing here
        make=lambda b, p: _state_dict(b, p, SYSTEM.replace("touch pwned", "true"), _state(p)),
        fine="",
        trust=True,
    )
)
fault(("br_evilsd_t", "run --dry-run: state dict that is a pickle, with trust"))(
    bind(_dry_run, make=PACKAGES["evilsd"][1], fine="", trust=True)
)


def _license(bench: Bench, name: str) -> None:
    result = bench.run(code=CODE.format(source=name))
    quiet(result)
    need("SECRET" not in result.text, "the license is the first line of a local file")
    need("InputError" in result.out or "None" in result.out, f"not refused: {result.out.strip()[:60]}")


@fault(("lic_zip", "license of a zip: a local file"))
def license_in_zip(bench: Bench) -> None:
    package = edit(inputs.package(bench), "license: MIT", f"license:\n  source: {bench.secret_file}")
    _license(bench, zipped(package).name)


@fault(("lic_web", "license of a description on the web: a local file"))
def license_on_web(bench: Bench) -> None:
    from fault_cases.downloads import Site

    package = edit(inputs.package(bench), "license: MIT", f"license:\n  source: {bench.secret_file}")
    files = {path.name: path.read_bytes() for path in package.iterdir()}
    with Site(files) as url:
        code = f"import os\nos.environ.pop('HF_HUB_OFFLINE')\n{CODE.format(source=url + '/rdf.yaml')}"
        result = bench.run(code=code, env={"FINETUNE_CACHE": str(bench.folder / "cache")})
    quiet(result)
    need("InputError" in result.out or "None" in result.out, f"not refused: {result.out.strip()[:60]}")
