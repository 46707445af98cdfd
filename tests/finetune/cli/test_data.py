import json

import numpy as np
import tifffile
from field import cut, make_field


def test_the_command_describes_a_data_set_as_text_and_json(command, tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    for name, tile in cut(make_field(128, 384), 128).items():
        tifffile.imwrite(tmp_path / "data" / "images" / f"{name}.tif", tile[0])
        tifffile.imwrite(tmp_path / "data" / "masks" / f"{name}.tif", (tile[0] > 40).astype(np.uint16))
    text = command("data", "data", "--labels", "foreground", "--picture", "seams.png")
    assert text.returncode == 0, text.stderr
    assert "3, not split" in text.stdout
    assert "2 pairs of images: 2 in the same field of view" in text.stdout
    assert (tmp_path / "seams.png").is_file()
    found = json.loads(command("data", "data", "--labels", "foreground", "--json").stdout)
    assert found["fields"] == 1
    (tmp_path / "notes.txt").write_text("mine")
    refused = command("data", "data", "--picture", "notes.txt")
    assert refused.returncode == 2
    assert "exists already" in refused.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert command("data", "none").returncode == 2
