"""The weights are the ones on the card: damaged, replaced and malicious weights of runs and base models."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from functools import partial as bind
from pathlib import Path
from typing import Any

import numpy as np

from fault_cases import inputs
from fault_cases.bench import Bench
from fault_cases.judge import need, nothing, quiet, refused, succeeded
from fault_cases.registry import fault


class Evil:
    """Runs a command when it is unpickled: the file `pwned` tells."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("touch pwned",)


def evil_zip(path: Path) -> None:
    """Write a file like those of torch.save, whose pickle runs a command."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"weight": Evil()}, protocol=2))
        file.writestr("archive/version", "3\n")


def change_weights(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Replace all tensors of a safetensors file by what `change` makes of them."""
    from safetensors.numpy import load_file, save_file

    save_file({name: change(array) for name, array in load_file(path).items()}, path)


def change_config(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit config.json of a run."""
    path = run / "huggingface" / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config, indent=2))


def _file(run: Path) -> Path:
    return run / "huggingface" / "model.safetensors"


def _normalize(config: dict[str, Any]) -> None:
    config["normalize"] = {"name": "zscore"} if config["normalize"]["name"] != "zscore" else {"name": "none"}


def _percentiles(config: dict[str, Any]) -> None:
    for key, value in config["normalize"].items():
        if isinstance(value, int | float) and value > 50:
            config["normalize"][key] = 60.0
            return
    _normalize(config)


def _options(**options: object) -> Callable[[Path], None]:
    return lambda run: change_config(run, lambda config: config["architecture"]["options"].update(options))


def _set(key: str, value: object, *, inside: str | None = None) -> Callable[[Path], None]:
    def change(config: dict[str, Any]) -> None:
        (config[inside] if inside else config)[key] = value

    return lambda run: change_config(run, change)


def _jitter(array: np.ndarray) -> np.ndarray:
    return array + np.random.default_rng(0).normal(0, 0.05, array.shape).astype(array.dtype)


DAMAGE: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "flip": ("one bit of a weight flipped", lambda run: inputs.flip(_file(run))),
    "nan": ("all weights NaN", lambda run: change_weights(_file(run), lambda array: array * np.nan)),
    "zero": ("all weights 0", lambda run: change_weights(_file(run), lambda array: array * 0)),
    "other": ("other weights of the same shape", lambda run: change_weights(_file(run), _jitter)),
    "cut": ("weights truncated to half", lambda run: inputs.cut(_file(run))),
    "empty": ("weights of 0 bytes", lambda run: _file(run).write_bytes(b"")),
    "gone": ("weights missing", lambda run: _file(run).unlink()),
    "cfg": ("config.json: other normalization", lambda run: change_config(run, _percentiles)),
    "cfgch": ("config.json: 10^9 channels", _set("channels", 10**9)),
    "cfgbig": ("config.json: depth 12, width 256", _options(depth=12, width=256)),
    "cfgcut": ("config.json truncated", lambda run: inputs.cut(run / "huggingface" / "config.json")),
    "cfgopt": ("config.json: options null", _set("options", None, inside="architecture")),
    "cfgrep": ("config.json: unknown repository", _set("repository", "../../os", inside="architecture")),
    "rec": ("record.json truncated", lambda run: [inputs.cut(path) for path in run.rglob("record.json")]),
}


def _predict(bench: Bench, damage: Callable[[Path], Any]) -> None:
    run = inputs.run_copy(bench)
    inputs.images(bench, names=("a",))
    damage(run)
    refused(bench.run("predict", "run", "pred", "--out", "out"), "run")
    nothing(bench)


for _id, (_what, _damage) in DAMAGE.items():
    fault((f"al_{_id}", f"predict: {_what}"))(bind(_predict, damage=_damage))


@fault(("ck_flip", "model.checkpoint = a run with a flipped bit"))
def damaged_base(bench: Bench) -> None:
    run = inputs.run_copy(bench)
    inputs.flip(_file(run))
    change = ("model.checkpoint=run", "model.options={}")
    refused(bench.run("run", inputs.recipe(bench), *change, "--out", "out", "--dry-run"), "run")


@fault(("load_flip", "finetune.load of a run with a flipped bit"))
def damaged_load(bench: Bench) -> None:
    inputs.flip(_file(inputs.run_copy(bench)))
    code = "import finetune\ntry:\n    finetune.load('run')\nexcept finetune.InputError as error:\n"
    result = bench.run(code=f"{code}    print('refused', error)\nelse:\n    print('loaded')\n")
    quiet(result)
    need("refused" in result.out, "loaded without a word")


def _bad_start(bench: Bench, value: float) -> None:
    """The weights of a user's own, with a record that agrees: only the numbers are bad."""
    file = bench.folder / "start.safetensors"
    file.write_bytes(_file(inputs.finished(bench)).read_bytes())
    change_weights(file, lambda array: np.full_like(array, value))
    change = ("model.checkpoint=start.safetensors", "--out", "out")
    refused(bench.run("run", inputs.recipe(bench), *change), ("nan", "finite", "diverged"))
    nothing(bench)


fault(("nan_start", "model.checkpoint with NaN weights"))(bind(_bad_start, value=np.nan))
fault(("inf_start", "model.checkpoint with weights of 1e30"))(bind(_bad_start, value=1e30))


@fault(("lr_max", "largest learning rate allowed, no gradient clipping"))
def large_learning_rate(bench: Bench) -> None:
    change = ("training.learning_rate=0.01", "training.gradient_clip=null", "training.epochs=1")
    succeeded(bench.run("run", inputs.recipe(bench), *change, "--out", "out", timeout=150))


def _plain_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"weight": Evil()}))


def _legacy_pickle(path: Path) -> None:
    buffer = io.BytesIO()
    for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, {"weight": Evil()}):
        pickle.dump(part, buffer, protocol=2)
    path.write_bytes(buffer.getvalue())


def _safetensors(path: Path, header: bytes, length: int | None = None) -> None:
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + bytes(64))


def _large_header(path: Path) -> None:
    tensor = {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}
    _safetensors(path, json.dumps({"weight": tensor}).encode())


def keras(path: Path, kind: str) -> None:
    """Write a malicious .h5 file of weights."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"conv2d_1"]
        group = file.create_group("conv2d_1")
        group.attrs["weight_names"] = [b"conv2d_1/kernel:0"]
        if kind == "huge":
            group.create_dataset("conv2d_1/kernel:0", shape=(2**38,), dtype="f4", chunks=(2**20,))
        elif kind == "external":
            secret = [str(path.parent.parent.parent / "secret" / "passwd")]
            group.create_dataset("conv2d_1/kernel:0", shape=(6,), dtype="u1", external=[(secret[0], 0, 6)])
        else:
            file.attrs["model_config"] = json.dumps({"class_name": "Lambda", "config": {"function": "os"}})
            group.create_dataset("conv2d_1/kernel:0", data=np.zeros((3, 3, 1, 32), np.float32))


def _hf(folder: Path, *, trust: bool = False, index: bool = False) -> None:
    folder.mkdir()
    config = {"model_type": "evil" if trust else "segformer", "auto_map": {"AutoModel": "evil.Evil"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("import os\nos.system('touch pwned')\nclass Evil: pass\n")
    if index:
        mapping = {"weight_map": {"weight": "../../../secret/passwd"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(mapping))
    elif trust:
        _safetensors(folder / "model.safetensors", b"{}")
    else:
        evil_zip(folder / "pytorch_model.bin")


BASE: dict[str, tuple[str, str, str, Callable[[Path], Any]]] = {
    "cp_legacy": ("cellpose: legacy pickle", "cyto3_nuclei", "evil.pth", _legacy_pickle),
    "cp_noext": ("cellpose: a pickle without suffix", "cyto3_nuclei", "evil", _plain_pickle),
    "cp_plain": ("cellpose: plain pickle", "cyto3_nuclei", "evil.pth", _plain_pickle),
    "cp_zip": ("cellpose: zip with a pickle", "cyto3_nuclei", "evil.pth", evil_zip),
    "sam2": ("sam2: pickle", "sam2_nuclei", "evil.pt", _plain_pickle),
    "tv": ("torchvision: zip with a pickle", "deeplabv3_nuclei", "evil.pth", evil_zip),
    "sd_h5": ("stardist: a pickle called .h5", "stardist_nuclei", "evil.h5", _plain_pickle),
    "sd_huge": ("stardist: .h5 that declares 1 TB", "stardist_nuclei", "h.h5", bind(keras, kind="huge")),
    "sd_ext": ("stardist: .h5 with external data", "stardist_nuclei", "e.h5", bind(keras, kind="external")),
    "sd_lambda": ("stardist: .h5 with a Lambda layer", "stardist_nuclei", "l.h5", bind(keras, kind="lambda")),
    "hfbin": ("huggingface: pytorch_model.bin and auto_map", "segformer_nuclei", "hf", _hf),
    "hfindex": ("huggingface: index to ../../passwd", "segformer_nuclei", "hf", bind(_hf, index=True)),
    "hftrust": ("huggingface: auto_map, model.trust", "segformer_nuclei", "hf", bind(_hf, trust=True)),
    "wipp_big": ("wipp: safetensors that declares 4 TB", "tiny.yaml", "b.safetensors", _large_header),
    "wipp_hdr": (
        "wipp: safetensors with a header of 2^60 bytes",
        "tiny.yaml",
        "h.safetensors",
        lambda path: _safetensors(path, b"{}", 2**60),
    ),
    "wipp_pth": ("wipp: a pickle called .pth", "tiny.yaml", "evil.pth", _plain_pickle),
    "wipp_st": ("wipp: a pickle called .safetensors", "tiny.yaml", "evil.safetensors", _plain_pickle),
}


def _base(bench: Bench, recipe: str, file: str, make: Callable[[Path], Any], trust: bool) -> None:
    make(bench.folder / file)
    inputs.recipe(bench)
    data = () if recipe == "tiny.yaml" else ("data.name=null", f"data.root={inputs.discs(bench)}")
    change = (*data, f"model.checkpoint={file}", *(("model.trust=true",) if trust else ()))
    result = bench.run("run", recipe, *change, "--out", "out")
    refused(result, (file, "evil"))
    need(result.memory < 5e9, f"{result.memory / 1e9:.1f} GB of memory")
    nothing(bench)


for _id, (_what, _recipe, _name, _make) in BASE.items():
    fault((f"w_{_id}", _what))(bind(_base, recipe=_recipe, file=_name, make=_make, trust=_id == "hftrust"))
