"""Pretrained weights: torchvision's file in torch's cache is taken as it should be or refused in one line."""

import io
import os
import pickle
from pathlib import Path

import pytest
import torch
import torchvision

from gan_colorize.errors import UserError
from gan_colorize.models.encoders import BackboneEncoder


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: list[str]) -> Path:
    """Where torch's cache has the weights of MobileNetV2; nothing is there, and nothing can be fetched."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / "mobilenet_v2-b0353104.pth"
    path.parent.mkdir(parents=True)
    return path


def dumped(value: object, old: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=not old)
    return buffer.getvalue()


def refused() -> str:
    with pytest.raises(UserError) as caught:
        BackboneEncoder("mobilenet_v2").load_pretrained()
    line = str(caught.value)
    assert "\n" not in line and line.startswith("model.pretrained_encoder: ")
    return line


class _Code:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
def test_weights_in_the_cache_are_taken(cached: Path, old: bool) -> None:
    """The published file is of the old kind."""
    torch.manual_seed(3)
    published = torchvision.models.get_model("mobilenet_v2", weights=None)
    cached.write_bytes(dumped(published.state_dict(), old))
    encoder = BackboneEncoder("mobilenet_v2")
    encoder.load_pretrained()
    x = torch.rand(1, 1, 64, 64)
    features = x
    for stage in encoder.eval().stages:
        features = stage(features)
    with torch.no_grad():
        expected = published.features.eval()(x.expand(-1, 3, -1, -1))
    torch.testing.assert_close(features.detach(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
@pytest.mark.parametrize("kept", [0, 1, 100, 5000, -10])
def test_a_file_that_is_cut_short_is_named(cached: Path, old: bool, kept: int) -> None:
    state = torchvision.models.get_model("mobilenet_v2", weights=None).state_dict()
    cached.write_bytes(dumped(state, old)[:kept])
    line = refused()
    assert str(cached) in line and "delete it" in line and "TORCH_HOME" in line


@pytest.mark.parametrize(
    "content",
    [
        b"<html>not found</html>",
        b"hello\n",
        b"cos\nnothing\n.",
        dumped({}),
        dumped([1]),
        dumped({"features.0.0.weight": torch.zeros(3)}),
    ],
)
def test_another_file_is_named(cached: Path, content: bytes) -> None:
    cached.write_bytes(content)
    assert str(cached) in refused()


@pytest.mark.parametrize("dump", [dumped, pickle.dumps])
def test_code_in_the_file_is_not_run(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dump
) -> None:
    monkeypatch.chdir(tmp_path)
    cached.write_bytes(dump({"features.0.0.weight": _Code()}))
    assert str(cached) in refused()
    assert not (tmp_path / "ran").exists()


def test_a_download_that_fails_is_told(cached: Path, no_network: list[str]) -> None:
    line = refused()
    assert "neither cached (TORCH_HOME) nor downloadable" in line and "pretrained_encoder=false" in line
    assert "no network" in line
    assert no_network == ["https://download.pytorch.org/models/mobilenet_v2-b0353104.pth"]
    assert not list(cached.parent.iterdir())


def test_a_server_that_sends_another_file_is_told(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = cached.parents[3] / "served-b0353104.pth"
    served.write_bytes(b"something else")
    weights = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1
    monkeypatch.setattr(type(weights), "url", property(lambda self: served.as_uri()))
    line = refused()
    assert "what came is not the published file" in line and not list(cached.parent.iterdir())
