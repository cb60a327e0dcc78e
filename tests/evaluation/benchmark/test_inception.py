"""Inception features with weights that nobody trained: the path, not the numbers of papers."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_colorize.evaluation.benchmark.inception import InceptionUnavailable, find_weights, load_inception

extractor = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small random weights under the names that torch-fidelity's file has."""

    class Untrained(extractor.FeatureExtractorInceptionV3):
        def load_state_dict(self, state: object) -> None:
            """What would be loaded is empty."""

    path = tmp_path_factory.mktemp("inception") / "random.pth"
    empty = path.with_name("empty.pth")
    torch.save({}, empty)
    state = Untrained("untrained", ["2048"], str(empty)).state_dict()
    chance = torch.Generator().manual_seed(0)
    for key, value in state.items():
        if value.ndim == 4:  # wide enough that something is left after forty layers
            scale = (2 / value[0].numel()) ** 0.5
            state[key] = torch.randn(value.shape, generator=chance) * scale
    torch.save(state, path)
    return path


def test_features_are_torch_fidelitys_and_independent_of_the_batch(weights: Path) -> None:
    inception = load_inception(weights)
    assert not inception.known and len(inception.sha256) == 64
    pictures = torch.randint(0, 256, (3, 3, 64, 64), generator=torch.Generator().manual_seed(1)).byte()
    found = inception(pictures)
    theirs = extractor.FeatureExtractorInceptionV3("theirs", ["2048"], str(weights))
    assert found.shape == (3, 2048) and found.dtype == np.float32
    assert np.allclose(found, theirs(pictures)[0].numpy(), rtol=1e-3, atol=1e-4)
    assert np.allclose(found[:1], inception(pictures[:1]), rtol=1e-3, atol=1e-4)
    assert np.abs(found[0] - found[1]).max() > 0.01


class Harmful:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("harm"),))


def test_other_files_are_refused_and_nothing_is_unpickled(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harmful.pth").write_bytes(pickle.dumps(Harmful()))
    torch.save({"conv.weight": torch.zeros(2)}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("<html>")
    for name in ("harmful.pth", "other.pth", "text.pth"):
        with pytest.raises(InceptionUnavailable, match=f"{name}: no Inception weights"):
            load_inception(tmp_path / name)
    with pytest.raises(InceptionUnavailable, match="No such file"):
        load_inception(tmp_path / "missing.pth")
    assert not (tmp_path / "harm").exists()


def test_nothing_is_fetched_unless_asked(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InceptionUnavailable, match="--inception, or --download"):
        find_weights()
    cached = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"another file")
    with pytest.raises(InceptionUnavailable, match="cut short or another file"):
        load_inception()


def test_a_benchmark_with_them_has_fid_and_kid(weights: Path, photographs: Path, tools, measured) -> None:
    from gan_colorize.evaluation.benchmark.entries import Grey
    from gan_colorize.evaluation.benchmark.fid import fid
    from gan_colorize.evaluation.benchmark.protocol import Tools
    from gan_colorize.evaluation.frames import resize_picture

    inception = load_inception(weights)
    report = measured([Grey()], photographs, tools=Tools(tools.lpips, None, inception, 0))
    row = report["sets"]["small"]["rows"]["grey"]
    assert {"fid", "kid"} <= row.keys() and "kid" in report["sets"]["small"]["ci95"]["grey"]
    assert "fid" not in report["sets"]["small"]["ci95"]["grey"]
    assert any("biased upwards" in note for note in report["notes"])
    assert any("other Inception weights" in note for note in report["notes"])

    from PIL import Image

    from gan_colorize.color.fast import rgb8_to_lab
    from gan_colorize.evaluation.subject import grey_pictures

    paths = sorted(photographs.iterdir())
    truth = np.stack([resize_picture(np.asarray(Image.open(p)), "centre-crop", 48) for p in paths])
    batch = torch.from_numpy(truth).permute(0, 3, 1, 2)
    grey = torch.from_numpy(grey_pictures(rgb8_to_lab(batch)[:, 0].numpy())).permute(0, 3, 1, 2)
    assert row["fid"] == pytest.approx(fid(inception(batch), inception(grey)), rel=1e-3)
