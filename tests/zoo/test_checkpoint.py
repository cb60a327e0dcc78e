"""Models on disk: nothing is lost there and back, and every wrong file is refused in one line."""

import json
import os
import pickle
import stat

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gan_colorize.errors import UserError
from gan_colorize.models import create_model
from gan_colorize.zoo import checkpoint
from gan_colorize.zoo.checkpoint import (
    default_temperature,
    file_hash,
    load_model,
    read_metadata,
    resolve_model,
    save_model,
    working_size,
)

TINY = {
    "encoder_widths": [8] * 5,
    "encoder_blocks": [0] * 5,
    "decoder_widths": [8] * 4,
    "decoder_blocks": [0] * 4,
}
METADATA = {
    "images_seen": 1200,
    "licence": "CC0",
    "training_data": "dots",
    "temperature": 0.5,
    "working_size": 96,
}


@pytest.fixture
def model():
    torch.manual_seed(1)
    model = create_model("unet", TINY)
    for name, buffer in model.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 90_000)  # more than fp16 can hold
    return model


@pytest.fixture
def saved(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, model, METADATA)
    return path


def rewritten(path, **changes):
    """The same file with other metadata; None removes a key."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata() | changes
    save_file(load_file(path), path, {key: value for key, value in metadata.items() if value is not None})
    return path


def refused(path):
    """The line that a wrong file gives: one line, naming the file."""
    with pytest.raises(UserError) as caught:
        load_model(path)
    line = str(caught.value)
    assert "\n" not in line
    assert str(path) in line
    return line


def test_there_and_back(model, saved):
    loaded = load_model(saved)
    assert not loaded.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert (loaded.name, loaded.options) == (model.name, model.options)
    assert loaded.metadata["images_seen"] == "1200"
    assert read_metadata(saved)["licence"] == "CC0"
    assert (working_size(loaded), default_temperature(loaded)) == (96, 0.5)


def test_another_reader_finds_what_the_format_promises(saved):
    with safe_open(saved, "pt") as file:
        metadata = file.metadata()
        assert file.get_tensor("head.weight").shape == (313, 8, 1, 1)
    assert metadata["model"] == "unet"
    assert json.loads(metadata["options"])["decoder_widths"] == [8, 8, 8, 8]
    assert len(metadata["bins_hash"]) == 64


def test_half_keeps_vectors_and_halves_the_rest(model, saved, tmp_path):
    half = tmp_path / "half.safetensors"
    save_model(half, model, METADATA, half=True)
    kept = load_file(half)
    assert kept["head.weight"].dtype is torch.float16
    variances = [tensor for name, tensor in kept.items() if name.endswith("running_var")]
    assert all(tensor.dtype is torch.float32 and tensor.isfinite().all() for tensor in variances)
    loaded = load_model(half)
    assert loaded.head.weight.dtype is torch.float32
    torch.testing.assert_close(loaded.head.weight, model.head.weight, rtol=1e-3, atol=1e-6)
    assert half.stat().st_size < 0.75 * saved.stat().st_size


def test_channels_last_weights_can_be_saved(model, tmp_path):
    save_model(tmp_path / "m.safetensors", model.to(memory_format=torch.channels_last), METADATA)
    assert load_model(tmp_path / "m.safetensors").head.weight.is_contiguous()


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX")
def test_others_may_read_the_file(saved):
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(saved.stat().st_mode) == 0o666 & ~umask


def test_defaults_where_the_metadata_is_silent(model, tmp_path):
    save_model(tmp_path / "m.safetensors", model, {})
    loaded = load_model(tmp_path / "m.safetensors")
    assert (working_size(loaded), default_temperature(loaded)) == (256, 0.38)


@pytest.mark.parametrize("value", ["vivid", "nan", "-1", "0"])
def test_metadata_that_is_no_number(saved, value):
    with pytest.raises(UserError, match="temperature"):
        default_temperature(load_model(rewritten(saved, temperature=value)))


def test_run_folder_prefers_the_finished_model(model, tmp_path):
    run = tmp_path / "run"
    for place, seen in (("last", 3), ("best", 2), (".", 1)):
        (run / place).mkdir(parents=True, exist_ok=True)
        save_model(run / place / "model.safetensors", model, {"images_seen": seen})
        assert load_model(run).metadata["images_seen"] == str(seen)
    assert resolve_model(run) == run / "model.safetensors"


def test_folder_without_a_model(tmp_path):
    assert "no model in this folder" in refused(tmp_path)


def test_missing(tmp_path):
    assert "not found" in refused(tmp_path / "absent.safetensors")


def test_default_weights_missing_from_the_installation(monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoint, "DEFAULT_WEIGHTS", tmp_path / "default.safetensors")
    with pytest.raises(UserError, match="default weights are missing"):
        load_model("default")


class Bomb:
    """Unpickling it would leave a mark."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.mark.parametrize("how", ["pickle", "torch", "torch-legacy"])
def test_pickles_are_named_and_never_opened(how, tmp_path):
    path, mark = tmp_path / "model.safetensors", tmp_path / "mark"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Bomb(mark)))
    else:
        torch.save({"weights": Bomb(mark)}, path, _use_new_zipfile_serialization=how == "torch")
    assert "is a pickle, not safetensors; gan_colorize never unpickles" in refused(path)
    assert not mark.exists()


@pytest.mark.parametrize("share", [0, 4, 8, 0.001, 0.3, 0.99, -1])
def test_cut_short_anywhere(saved, share):
    content = saved.read_bytes()
    end = int(share * len(content)) if 0 < share < 1 else share
    saved.write_bytes(content[:end])
    line = refused(saved)
    assert "cut short" in line or "is empty" in line


def test_web_page(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_text("<!DOCTYPE html><html><body>404: {not found}</body></html>")
    assert "web page" in refused(path)


@pytest.mark.parametrize("content", [b"P5 4 4 255 0123456789abcdef", b"\x10\0\0\0\0\0\0\0{not json at all"])
def test_some_other_file(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert "not a safetensors file" in refused(path)


def test_safetensors_of_someone_else(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"w": torch.zeros(2)}, path)
    assert "is no gan_colorize model" in refused(path)


def test_other_bins(saved):
    assert "another set of ab bins" in refused(rewritten(saved, bins_hash="0" * 64))


def test_unknown_network(saved):
    line = refused(rewritten(saved, model="unet9000"))
    assert "unknown model 'unet9000'" in line
    assert "unet" in line.split("known are")[1]


@pytest.mark.parametrize(
    "options", ['{"encoder": 3}', '{"depth": 9}', "[1]", "not json", '{"encoder_widths": [8]}']
)
def test_options_that_build_nothing(saved, options):
    assert "options" in refused(rewritten(saved, options=options))


def test_newer_format(saved):
    assert "update gan_colorize" in refused(rewritten(saved, format_version="2"))


def changed_tensors(path, change):
    tensors, metadata = load_file(path), read_metadata(path)
    change(tensors)
    save_file(tensors, path, metadata)


def test_tensors_that_do_not_fit(saved):
    original = saved.read_bytes()
    changed_tensors(saved, lambda tensors: tensors.pop("head.bias"))
    assert "lacks head.bias" in refused(saved)
    saved.write_bytes(original)
    changed_tensors(saved, lambda tensors: tensors.update(extra=torch.zeros(1)))
    assert "has extra too many" in refused(saved)
    saved.write_bytes(original)
    changed_tensors(saved, lambda tensors: tensors.update({"head.bias": torch.zeros(312)}))
    assert "head.bias is (312,), needs (313,)" in refused(saved)
    saved.write_bytes(original)
    changed_tensors(saved, lambda tensors: tensors["head.bias"].fill_(float("nan")))
    assert "NaN" in refused(saved)


def test_failing_write_keeps_the_older_file(model, saved, monkeypatch):
    """Also where it is the disk that fails, which is asked before the file has its name."""
    before = saved.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        save_model(saved, model, METADATA)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_file_hash(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-4, example of SHA-256
    assert file_hash(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223b00361a396177a9c")
