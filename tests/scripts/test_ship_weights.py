"""What becomes of a run on its way into the package."""

import pytest
import torch

from gan_colorize.models import create_model
from gan_colorize.zoo.checkpoint import load_model, read_metadata, save_model

TINY = {"encoder_widths": [8] * 5, "decoder_widths": [8] * 4, "decoder_blocks": [0] * 4}


def test_runs_are_averaged_weight_by_weight_and_settings_written(script, tmp_path, monkeypatch):
    ship = script("ship_weights")
    states = []
    for seed in range(2):
        torch.manual_seed(seed)
        model = create_model("unet", TINY)
        save_model(tmp_path / str(seed) / "model.safetensors", model, {"images_seen": 10 + seed})
        states.append(model.state_dict())
    target = tmp_path / "out.safetensors"
    arguments = [str(tmp_path / "0"), str(tmp_path / "1"), "--output", str(target), "--saturation", "1.1"]
    monkeypatch.setattr("sys.argv", ["ship_weights.py", *arguments])
    assert ship.main() == 0
    shipped = load_model(target).state_dict()
    for name in ("head.bias", "head.weight"):
        expected = (states[0][name] + states[1][name]) / 2
        torch.testing.assert_close(shipped[name], expected, rtol=1e-3, atol=1e-5)  # kernels are fp16
    metadata = read_metadata(target)
    assert metadata["saturation"] == "1.1" and metadata["averaged_runs"] == "2"
    assert metadata["images_seen"] == "10"


def test_networks_of_another_shape_are_not_averaged(script):
    ship = script("ship_weights")
    other = create_model("unet", TINY | {"attention_heads": 2})
    with pytest.raises(SystemExit, match="only runs of one network"):
        ship.average([create_model("unet", TINY), other])
