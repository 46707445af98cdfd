"""StarDist's own files: weights as Keras writes them (`weights_best.h5`), read and written with h5py.

The layout is that of Keras 2, in which StarDist saves under Keras 3, too (`csbdeep.models.base_model`,
csbdeep 0.8.2): a group a layer, with the attribute `weight_names` and a dataset a weight; the group of
groups, the file or its `model_weights`, has the attribute `layer_names`. HDF5 holds no code.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cards.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import torch

MAX_EXPANSION = 20  # declared bytes of weights per byte of the file: Keras does not compress
# StarDist's layer of class probabilities: a softmax over background and one class. The softmax of two
# logits is the sigmoid of their difference, which is what `StarDistUNet.foreground` predicts.
CLASSES = "prob_class"
KERAS = "2.1.6"  # the layout's version; Keras takes 'kernel' and 'bias' as they are from version 2 on


def keras_names(options: dict[str, Any]) -> dict[str, str]:
    """Names of StarDist's layers.

    Keras numbers the unnamed layers, those before the U-Net, consecutively in a session; here they
    begin with `conv2d`, `conv2d_1`. The others are those of `unet_block` in csbdeep 0.8.2.

    Args:
        options: all options of a `StarDistUNet`.

    Returns:
        Layer names by module name of `StarDistUNet`. Keras loads weights in this order, not by name.
    """
    depth, convolutions = options["depth"], options["convolutions"]
    halvings = options["grid"].bit_length() - 1
    # The last convolution of a level that goes up skips a number: `no_0`, `no_2` of two.
    rising = [*range(convolutions - 1), convolutions]
    names = {
        f"grid.{level}.{2 * index}": _numbered(level * convolutions + index)
        for level in range(halvings)
        for index in range(convolutions)
    }
    for level in range(depth):
        for index in range(convolutions):
            names[f"down.{level}.{2 * index}"] = f"down_level_{level}_no_{index}"
    for index, number in enumerate(rising):
        names[f"middle.{2 * index}"] = f"middle_{number}"
    for place, level in enumerate(reversed(range(depth))):
        for index, number in enumerate(rising):
            names[f"up.{place}.{2 * index}"] = f"up_level_{level}_no_{number}"
    if options["features"]:
        names["features.0"] = "features"
        if options["foreground"]:
            names["features_class.0"] = "features_class"
    names |= {"prob": "prob", "dist": "dist"}
    return names | ({"foreground": CLASSES} if options["foreground"] else {})


def read_weights(path: Path, options: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Read weights as a state dict of `StarDistUNet`.

    Args:
        path: the .h5 file.
        options: all options of the network.

    Returns:
        Tensors by key; a layer that StarDist does not have keeps its own name.

    Raises:
        ModelError: if the file is missing, damaged or in another format.
    """
    import numpy as np
    import torch

    layers = _read_layers(path)
    # A file may have the head for classes although the options, which may come from elsewhere, do not say so.
    places = {name: module for module, name in keras_names(options | {"foreground": True}).items()}
    # Keras starts at 'conv2d', 'conv2d_1' or after the layers built before: only the order is meaningful.
    anonymous = sorted((name for name in layers if re.fullmatch(r"conv2d(_\d+)?", name)), key=_number)
    places |= {name: places.get(_numbered(index), name) for index, name in enumerate(anonymous)}
    state = {}
    for name, weights in layers.items():
        for kind, values in weights.items():
            if name == CLASSES and values.shape[-1] == 2:
                values = values[..., 1:] - values[..., :1]
            if kind == "kernel" and values.ndim == 4:
                # (height, width, in, out) -> (out, in, height, width); both correlate, neither flips.
                key, values = "weight", values.transpose(3, 2, 0, 1)
            else:
                key = kind
            state[f"{places.get(name, name)}.{key}"] = torch.from_numpy(
                np.ascontiguousarray(values, np.float32)
            )
    return state


def write_weights(path: Path, state: dict[str, torch.Tensor], options: dict[str, Any]) -> None:
    """Write weights as `StarDist2D` saves them.

    Args:
        path: the .h5 file.
        state: state dict of a `StarDistUNet`.
        options: all options of that network.
    """
    import h5py
    import numpy as np

    names = keras_names(options)
    with h5py.File(path, "w") as file:
        # Bytes of fixed length, as the Keras of old files wrote them: every version reads those.
        file.attrs["layer_names"] = np.array(list(names.values()), "S")
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = KERAS.encode()
        for module, name in names.items():
            group = file.create_group(name)
            kernel = state[f"{module}.weight"].detach().cpu().numpy().transpose(2, 3, 1, 0)
            values = {"kernel": kernel, "bias": state[f"{module}.bias"].detach().cpu().numpy()}
            if name == CLASSES:
                values = {kind: np.concatenate([0 * array, array], axis=-1) for kind, array in values.items()}
            group.attrs["weight_names"] = np.array([f"{name}/{kind}:0" for kind in values], "S")
            for kind, array in values.items():
                group.create_dataset(f"{name}/{kind}:0", data=np.ascontiguousarray(array, np.float32))


def _read_layers(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Weights by layer and kind ("kernel", "bias"); layers without weights are omitted."""
    import h5py
    import numpy as np

    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            names = _texts(root.attrs.get("layer_names", []))
            groups = {name: _datasets(root[name]) for name in names}
            declared = sum(item.nbytes for group in groups.values() for item in group.values())
            if declared > MAX_EXPANSION * path.stat().st_size:
                raise ModelError(
                    f"{path}: not weights: it declares {declared:,} bytes, "
                    f"the file has {path.stat().st_size:,}"
                )
            layers = {
                name: {kind: np.asarray(item) for kind, item in group.items()}
                for name, group in groups.items()
            }
    except FileNotFoundError as error:
        raise ModelError(f"{path}: cannot read the weights: no such file") from error
    except (OSError, KeyError, ValueError, AttributeError, RuntimeError) as error:
        raise ModelError(f"{path}: not an HDF5 file of weights, or truncated: {error}") from error
    if not names:
        raise ModelError(
            f"{path}: not weights as StarDist saves them (no layer_names); if Keras 3 wrote it as "
            ".weights.h5, load it in StarDist and save it as weights_best.h5"
        )
    return {name: weights for name, weights in layers.items() if weights}


def _datasets(group: Any) -> dict[str, Any]:
    """Datasets of a layer by kind of weight; nothing is read yet."""
    # 'features/kernel:0' in Keras 2, 'features/kernel' in Keras 3; more parts in front where models nest.
    return {
        name.rsplit("/", 1)[-1].partition(":")[0]: group[name]
        for name in _texts(group.attrs.get("weight_names", []))
    }


def _texts(names: Any) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _numbered(index: int) -> str:
    return f"conv2d_{index}" if index else "conv2d"


def _number(name: str) -> int:
    return int(name.partition("_")[2] or 0)
