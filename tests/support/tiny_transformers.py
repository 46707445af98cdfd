"""Small transformers models and a Hub that serves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

from finetune.repositories.registry import Loaded, LoadOptions, load

SEGFORMER = {
    "model_type": "segformer",
    "hidden_sizes": [8, 8, 16, 16],
    "depths": [1, 1, 1, 1],
    "num_attention_heads": [1, 1, 2, 2],
    "decoder_hidden_size": 16,
}
SAM = {
    "model_type": "sam",
    "vision_config": {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "global_attn_indexes": [1],
        "mlp_dim": 64,
        "window_size": 4,
        "image_size": 256,
        "output_channels": 32,
        "num_pos_feats": 16,
    },
    "prompt_encoder_config": {"hidden_size": 32, "image_size": 256, "mask_input_channels": 4},
    "mask_decoder_config": {
        "hidden_size": 32,
        "mlp_dim": 32,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 32,
    },
}
SAM2 = {
    "model_type": "sam2",
    "vision_config": {
        "model_type": "sam2_vision_model",
        "backbone_config": {
            "model_type": "sam2_hiera_det_model",
            "hidden_size": 8,
            "blocks_per_stage": [1, 1, 3, 1],
            "embed_dim_per_stage": [8, 16, 32, 64],
            "num_attention_heads_per_stage": [1, 1, 2, 2],
            "global_attention_blocks": [3],
        },
        "backbone_channel_list": [64, 32, 16, 8],
        "fpn_hidden_size": 16,
    },
    "prompt_encoder_config": {"hidden_size": 16},
    "mask_decoder_config": {
        "hidden_size": 16,
        "mlp_dim": 16,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 16,
    },
}
UPERNET = {
    "model_type": "upernet",
    "backbone_config": {
        "model_type": "convnext",
        "hidden_sizes": [8, 8, 8, 8],
        "depths": [1, 1, 1, 1],
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
    },
    "hidden_size": 8,
    "use_auxiliary_head": False,
}
DPT = {  # its positions are for one size
    "model_type": "dpt",
    "image_size": 64,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "backbone_out_indices": [0, 1, 2, 3],
    "neck_hidden_sizes": [8, 8, 8, 8],
    "fusion_hidden_size": 8,
}
MASK2FORMER = {
    "model_type": "mask2former",
    "num_labels": 1,
    "num_queries": 10,
    "feature_size": 32,
    "mask_feature_size": 32,
    "hidden_dim": 32,
    "encoder_feedforward_dim": 32,
    "dim_feedforward": 32,
    "encoder_layers": 1,
    "decoder_layers": 3,
    "num_attention_heads": 2,
    "backbone_config": {
        "model_type": "swin",
        "depths": [2, 1, 1, 1],
        "embed_dim": 12,
        "num_heads": [1, 1, 2, 2],
        "window_size": 7,
        "drop_path_rate": 0.0,
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
    },
}
CONFIGS = {"segformer": SEGFORMER, "sam": SAM, "sam2": SAM2, "upernet": UPERNET}
MODELS = {
    "segformer": "SegformerForSemanticSegmentation",
    "sam": "SamModel",
    "sam2": "Sam2Model",
    "upernet": "UperNetForSemanticSegmentation",
}
WITH_QUERIES = {"mask2former": "Mask2FormerForUniversalSegmentation"}


def theirs(kind: str, **changes: Any) -> Any:
    """A model of transformers with random weights, all of them."""
    torch.manual_seed(9)
    config = transformers.CONFIG_MAPPING[kind].from_dict(
        (CONFIGS | {"mask2former": MASK2FORMER})[kind] | changes
    )
    model = getattr(transformers, (MODELS | WITH_QUERIES)[kind])(config).eval()
    with torch.no_grad():
        for weight in model.parameters():  # those that start as 0 or 1 would hide a mistake
            weight.add_(0.1 * torch.randn_like(weight))
    return model


def expected(kind: str, model: Any, image: torch.Tensor) -> list[torch.Tensor]:
    """What transformers gives for an image (1, 3, H, W): logits, or the encoder's features."""
    with torch.no_grad():
        if kind == "sam":
            return [model.vision_encoder(image).last_hidden_state]
        if kind == "sam2":
            return list(model.vision_encoder(image).fpn_hidden_states)
        return [torch.nn.functional.interpolate(model(image).logits, size=image.shape[-2:], mode="bilinear")]


def got(kind: str, network: Any, image: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        return list(network.encoder(image)) if kind in ("sam", "sam2") else [network(image)]


def serve(hub: Any, folder: Path, **more: bytes) -> str:
    files = {path.name: path.read_bytes() for path in folder.iterdir()} | more
    return hub.add("somebody/model", files, lfs=[name for name in files if name.endswith("safetensors")])


def start(kind: str, checkpoint: Path | None = None, **changes: Any) -> Loaded:
    arguments: dict[str, Any] = {"in_channels": 1, "out_channels": 3, "checkpoint": checkpoint}
    if checkpoint is None:
        arguments |= {"options": {"config": CONFIGS[kind]}, "pretrained": False}
    return load("huggingface", "somebody/model", LoadOptions(**arguments | changes))


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor], part: str = "") -> bool:
    return all(torch.equal(one[key], two[key]) for key in one if key.startswith(part))
