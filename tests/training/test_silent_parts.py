"""Training may add to weights the parts that change nothing at first, and nothing else."""

import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gan_colorize.cli.main import main
from gan_colorize.config import load_config
from gan_colorize.errors import UserError
from gan_colorize.models import create_model
from gan_colorize.training.task import create_networks
from gan_colorize.zoo.checkpoint import load_model, save_model

TINY = {
    "encoder_widths": [8] * 5,
    "encoder_blocks": [0] * 5,
    "decoder_widths": [8] * 4,
    "decoder_blocks": [0] * 4,
}


@pytest.fixture
def weights(tmp_path):
    """A network made without steering."""
    torch.manual_seed(3)
    model = create_model("unet", TINY)
    torch.nn.init.normal_(model.head.weight, std=1.0)
    save_model(tmp_path / "old.safetensors", model, {"images_seen": 5, "licence": "none"})
    return tmp_path / "old.safetensors"


def dry_run(init, *overrides):
    chosen = [piece for override in overrides for piece in ("--set", override)]
    return CliRunner().invoke(main, ["train", "--dry-run", "--device", "cpu", "--init", str(init), *chosen])


def error(result):
    assert result.exit_code in (1, 2) and "Traceback" not in result.output, result.output
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    return line


def test_steering_is_added_to_weights_without_it(weights):
    result = dry_run(weights, "model.options.steering=true")
    assert result.exit_code == 0, result.output
    assert "steering: true" in result.output and "encoder_widths:" in result.output
    plain = dry_run(weights)
    assert plain.exit_code == 0 and "steering: true" not in plain.output


def test_everything_else_comes_from_the_weights(weights):
    config = load_config([], [])
    config.model.options = TINY | {"steering": True}
    old = load_model(weights)
    made = create_networks(config, torch.device("cpu"), False, weights).generator
    theirs, ours = old.state_dict(), made.state_dict()
    assert {name for name in ours if name not in theirs} == {
        name for name in ours if name.startswith("steering.")
    }
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    lightness = torch.rand(1, 1, 64, 64) * 100
    with torch.no_grad():
        # but for the layout in memory they are one network
        torch.testing.assert_close(
            made.eval()(lightness).logits, old.eval()(lightness).logits, rtol=0, atol=1e-5
        )


def test_weights_with_steering_keep_it(tmp_path):
    model = create_model("unet", TINY | {"steering": True})
    save_model(tmp_path / "new.safetensors", model, {"images_seen": 5, "licence": "none"})
    assert "steering: true" in dry_run(tmp_path / "new.safetensors").output
    line = error(dry_run(tmp_path / "new.safetensors", "model.options.steering=false"))
    assert "steering" in line and "--init" in line


def test_other_options_still_contradict(weights):
    line = error(dry_run(weights, "model.options.steering=true", "model.options.global_context=false"))
    assert "global_context" in line and "--init" in line


@pytest.mark.parametrize("lost", ["head.weight", "hint_encoder.weight", "context.bias"])
def test_weights_that_lack_anything_else_are_refused(weights, lost):
    with safe_open(weights, "pt") as file:
        metadata = file.metadata()
    tensors = load_file(weights)
    del tensors[lost]
    save_file(tensors, weights, metadata)
    assert "old.safetensors" in error(dry_run(weights, "model.options.steering=true"))


def test_a_network_with_other_parts_is_refused(weights, tmp_path):
    """Not through the command, which takes the options from the weights."""
    config = load_config([], [])
    for options in (TINY | {"attention_heads": 2}, TINY | {"global_context": False}, TINY | {"output": "ab"}):
        config.model.options = options
        with pytest.raises(UserError, match="does not fit the network in model"):
            create_networks(config, torch.device("cpu"), False, weights)
    wider = create_model("unet", TINY | {"steering": True, "decoder_widths": [16, 8, 8, 8]})
    save_model(tmp_path / "wide.safetensors", wider, {"images_seen": 5, "licence": "none"})
    config.model.options = TINY | {"steering": True}
    with pytest.raises(UserError, match="does not fit"):
        create_networks(config, torch.device("cpu"), False, tmp_path / "wide.safetensors")
