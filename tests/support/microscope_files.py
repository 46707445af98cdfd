"""Small files in microscope formats, for tests. LIF and ND2 have no writer: the bytes are written here."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

LIF_AXES = {"X": 1, "Y": 2, "Z": 3, "T": 4}


def write_czi(path: Path, planes: Mapping[tuple[int, int], np.ndarray], scene: int = 0) -> None:
    """Write planes by (channel, z), each (H, W) or, in the order of the file, (H, W, BGR)."""
    from pylibCZIrw import czi

    with czi.create_czi(str(path), exist_ok=True) as document:
        for (channel, z), pixels in planes.items():
            data = np.atleast_3d(pixels)
            document.write(data, plane={"C": channel, "Z": z, "T": 0}, scene=scene)


def write_lif(path: Path, images: Mapping[str, np.ndarray], axes: str) -> None:
    """Write images of uint8 or uint16 with these axes, such as "CZYX": the first varies slowest."""
    elements, blocks = [], []
    for number, (name, pixels) in enumerate(images.items()):
        strides = dict(zip(axes, pixels.strides, strict=True))
        sizes = dict(zip(axes, pixels.shape, strict=True))
        bits = 8 * pixels.dtype.itemsize
        channels = "".join(
            f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{bits}" NameOfMeasuredQuantity="" '
            f'Min="0" Max="1" Unit="" LUTName="" IsLUTInverted="0" BytesInc="{index * strides.get("C", 0)}" '
            'BitInc="0"/>'
            for index in range(sizes.get("C", 1))
        )
        dimensions = "".join(
            f'<DimensionDescription DimID="{LIF_AXES[axis]}" NumberOfElements="{sizes[axis]}" Origin="0" '
            f'Length="1" Unit="m" BitInc="0" BytesInc="{strides[axis]}"/>'
            for axis in axes
            if axis != "C"
        )
        block = f"MemBlock_{number}"
        elements.append(
            f'<Element Name="{name}"><Data><Image><ImageDescription><Channels>{channels}</Channels>'
            f"<Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
            f'<Memory Size="{pixels.nbytes}" MemoryBlockID="{block}"/></Element>'
        )
        text = block.encode("utf-16-le")
        head = struct.pack("<IIBQBI", 0x70, 14 + len(text), 0x2A, pixels.nbytes, 0x2A, len(block))
        blocks.append(head + text + pixels.tobytes())
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="file"><Children>'
        f"{''.join(elements)}</Children></Element></LMSDataContainerHeader>"
    )
    text = xml.encode("utf-16-le")
    path.write_bytes(struct.pack("<IIBI", 0x70, 5 + len(text), 0x2A, len(xml)) + text + b"".join(blocks))


def write_ome_zarr(
    path: Path, pixels: np.ndarray, axes: str, labels: np.ndarray | None = None, version: str = "0.5"
) -> None:
    """Write an image, and a label image (y, x) named cells, in format 0.4 or 0.5."""
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    _multiscale(group, pixels, axes, version)
    if labels is not None:
        folder = group.create_group("labels")
        _set(folder, {"labels": ["cells"]}, version)
        _multiscale(folder.create_group("cells"), labels, "yx", version)


def _multiscale(group, pixels: np.ndarray, axes: str, version: str) -> None:
    kinds = {"t": "time", "c": "channel"}
    scales = [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes]
    transformations = [{"type": "scale", "scale": [1.0] * pixels.ndim}]
    datasets = [{"path": "0", "coordinateTransformations": transformations}]
    _set(group, {"multiscales": [{"version": version, "axes": scales, "datasets": datasets}]}, version)
    chunks = (*(1 for _ in pixels.shape[:-2]), *(min(32, size) for size in pixels.shape[-2:]))
    array = group.create_array("0", shape=pixels.shape, chunks=chunks, dtype=pixels.dtype)
    array[...] = pixels


def _set(group, metadata: dict, version: str) -> None:
    group.attrs.update({"ome": {"version": version, **metadata}} if version == "0.5" else metadata)


def write_nd2(path: Path, frames: np.ndarray) -> None:
    """Write a z-stack (Z, C, H, W) of uint8 or uint16, uncompressed, in version 3 of the format."""
    count, channels, height, width = frames.shape
    size = frames.dtype.itemsize
    attributes = {
        "uiWidth": width,
        "uiWidthBytes": width * channels * size,
        "uiHeight": height,
        "uiComp": channels,
        "uiBpcInMemory": 8 * size,
        "uiBpcSignificant": 8 * size,
        "uiSequenceCount": count,
        "eCompression": 2,
    }
    loop = {"uiCount": count, "dZLow": 0.0, "dZHigh": 1.0, "dZStep": 0.5, "bAbsolute": 0, "dZHome": 0.0}
    experiment = {"eType": 4, "uLoopPars": loop | {"iType": 0, "bZInverted": 0}}
    chunks = {
        b"ImageAttributesLV!": _variant({"SLxImageAttributes": attributes}),
        b"ImageMetadataSeqLV|0!": _variant({"SLxPictureMetadata": {"sPicturePlanes": {"uiCount": channels}}}),
        b"ImageMetadataLV!": _variant({"SLxExperiment": experiment}),
    }
    for index, frame in enumerate(frames):
        pixels = np.ascontiguousarray(np.moveaxis(frame, 0, -1)).tobytes()
        chunks[f"ImageDataSeq|{index}!".encode()] = bytes(8) + pixels  # after the time stamp
    content, places = _chunk(b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0".ljust(64, b"\0"), 32), {}
    for name, data in chunks.items():
        places[name] = len(content), len(data)
        content += _chunk(name, data, 4072)
    entries = b"".join(name + struct.pack("QQ", *place) for name, place in places.items())
    signature = b"ND2 CHUNK MAP SIGNATURE 0000001!"
    map_place = len(content)
    content += _chunk(
        b"ND2 FILEMAP SIGNATURE NAME 0001!", entries + signature + struct.pack("Q", map_place), 32
    )
    path.write_bytes(content)


def _chunk(name: bytes, data: bytes, reserved: int) -> bytes:
    return struct.pack("IIQ", 0x0ABECEDA, reserved, len(data)) + name.ljust(reserved, b"\0") + data


def _variant(content: Mapping[str, object]) -> bytes:
    return f"<variant>{_xml(content)}</variant>".encode()


def _xml(content: Mapping[str, object]) -> str:
    kinds = {int: "lx_uint32", float: "double"}
    return "".join(
        f"<{name}>{_xml(value)}</{name}>"
        if isinstance(value, Mapping)
        else f'<{name} runtype="{kinds[type(value)]}" value="{value}"/>'
        for name, value in content.items()
    )
