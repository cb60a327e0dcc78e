"""The trainer's few numbers: means of the metrics themselves, and LPIPS only where its trunk is."""

from pathlib import Path

import pytest
import torch

from gan_colorize.evaluation import quick
from gan_colorize.evaluation.colorfulness import colorfulness
from gan_colorize.evaluation.lpips_metric import load_lpips, signed_rgb
from gan_colorize.evaluation.psnr import psnr


@pytest.fixture
def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return tuple(
        torch.randint(0, 256, (40, 3, 32, 32), generator=generator, dtype=torch.uint8) for _ in range(2)
    )


@pytest.fixture(autouse=True)
def empty_torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    quick._lpips.cache_clear()
    yield tmp_path
    quick._lpips.cache_clear()


def test_without_a_trunk_lpips_is_none_and_the_rest_is_there(pictures: tuple) -> None:
    true, pred = pictures
    assert quick.quick_metrics(true, pred) == {
        "lpips": None,
        "psnr": pytest.approx(psnr(true, pred).mean().item()),
        "colorfulness": pytest.approx(colorfulness(pred).mean().item()),
        "truth_colorfulness": pytest.approx(colorfulness(true).mean().item()),
    }


def test_with_a_trunk_in_torchs_cache(pictures: tuple, random_trunk: Path, empty_torch_home: Path) -> None:
    cached = empty_torch_home / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(random_trunk.read_bytes())
    expected = load_lpips("alex", random_trunk)(*(signed_rgb(batch) for batch in pictures)).mean().item()
    assert quick.quick_metrics(*pictures)["lpips"] == pytest.approx(expected, rel=1e-5)
    floats = [batch.float() / 255 for batch in pictures]
    assert quick.quick_metrics(*floats)["lpips"] == pytest.approx(expected, rel=1e-5)
    small = [batch[..., :24] for batch in pictures]
    assert quick.quick_metrics(*small)["lpips"] is None
