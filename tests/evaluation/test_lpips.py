"""LPIPS against its definition and against the lpips package as its authors use it."""

import warnings
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from gan_colorize.errors import UserError
from gan_colorize.evaluation.lpips_metric import Lpips, LpipsUnavailable, find_trunk, load_lpips, signed_rgb

STRIDES_PADDING = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}


def lpips_by_hand(trunk: Path, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Equation 1 of the paper: AlexNet's five ReLU layers, unit length over channels, weighted squares."""
    import lpips

    state = torch.load(trunk, weights_only=True)
    heads = torch.load(
        Path(lpips.__file__).parent / "weights/v0.1/alex.pth", map_location="cpu", weights_only=True
    )
    shift = torch.tensor([-0.030, -0.088, -0.188])[:, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450])[:, None, None]
    x, y = (a - shift) / scale, (b - shift) / scale
    total = torch.zeros(len(a))
    for layer, (number, (stride, padding)) in enumerate(STRIDES_PADDING.items()):
        if number in (3, 6):
            x, y = F.max_pool2d(x, 3, 2), F.max_pool2d(y, 3, 2)
        weight, bias = state[f"features.{number}.weight"], state[f"features.{number}.bias"]
        x, y = (F.relu(F.conv2d(z, weight, bias, stride, padding)) for z in (x, y))
        difference = (F.normalize(x, dim=1) - F.normalize(y, dim=1)).square()
        total += (difference * heads[f"lin{layer}.model.1.weight"]).sum(1).mean((1, 2))
    return total


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.rand(3, 3, 64, 48, generator=generator) * 2 - 1 for _ in range(2))


def test_equals_the_papers_equation(random_trunk: Path, pair: tuple) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # neither of torchvision's two deprecation warnings gets out
        metric = load_lpips("alex", random_trunk)
    assert metric(*pair).tolist() == pytest.approx(lpips_by_hand(random_trunk, *pair).tolist(), rel=1e-5)
    assert metric(pair[0], pair[0]).tolist() == [0, 0, 0]


def test_features_of_the_truth_are_reusable(random_trunk: Path, pair: tuple) -> None:
    metric = load_lpips("alex", random_trunk)
    true = metric.features(pair[0])
    for other in (pair[1], pair[0].flip(0)):
        assert torch.equal(metric.distance(true, metric.features(other)), metric(pair[0], other))


def test_gradient_reaches_the_picture_also_beyond_its_range_and_no_weight(
    random_trunk: Path, pair: tuple
) -> None:
    metric = load_lpips("alex", random_trunk)
    picture = (pair[1] * 1.5).requires_grad_()
    metric(pair[0], picture).sum().backward()
    assert (picture.grad[picture.detach().abs() > 1] != 0).any()
    assert all(not parameter.requires_grad for parameter in metric.parameters())


def test_stays_in_float32_under_autocast(random_trunk: Path, pair: tuple) -> None:
    metric = load_lpips("alex", random_trunk)
    with torch.autocast("cpu", torch.bfloat16):
        inside = metric(*pair)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, metric(*pair))


def test_refuses_what_would_silently_give_a_number(random_trunk: Path) -> None:
    metric = load_lpips("alex", random_trunk)
    good = torch.zeros(1, 3, 64, 64)
    for bad in (good[:, :1], good.byte(), good[..., :31]):
        with pytest.raises(ValueError):
            metric(bad, bad)


def test_signed_range() -> None:
    bytes_ = torch.tensor([0, 255], dtype=torch.uint8).repeat(3, 1)[None, :, None]
    assert signed_rgb(bytes_)[0, 0, 0].tolist() == [-1, 1]


def test_no_trunk_says_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: list[str]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(LpipsUnavailable, match="--lpips-trunk FILE") as caught:
        load_lpips("alex")
    assert "\n" not in str(caught.value)
    assert no_network == []  # nothing is downloaded unasked


def test_a_failed_download_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: list[str]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(LpipsUnavailable, match=r"cannot download .*no network") as caught:
        find_trunk("alex", download=True)
    assert "\n" not in str(caught.value)
    assert no_network == ["https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"]


def test_unusable_trunk_files(tmp_path: Path, random_trunk: Path) -> None:
    text = tmp_path / "text.pth"
    text.write_text("<html>not found</html>")
    short = tmp_path / "short.pth"
    short.write_bytes(random_trunk.read_bytes()[:5000])
    other = tmp_path / "other.pth"
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, other)
    for path, why in (
        (text, "not a torch state dict"),
        (short, "not a torch state dict"),
        (other, "not torchvision weights of the alex network"),
        (tmp_path / "absent.pth", "no such LPIPS trunk"),
        (tmp_path, "not a torch state dict"),
    ):
        with pytest.raises(LpipsUnavailable, match=why):
            Lpips("alex", path)
    with pytest.raises(LpipsUnavailable, match="vgg"):
        Lpips("vgg", random_trunk)
    with pytest.raises(UserError, match="alex, vgg, squeeze"):
        load_lpips("resnet")


def test_real_trunk_equals_the_package(shared: Path, monkeypatch: pytest.MonkeyPatch, pair: tuple) -> None:
    monkeypatch.setenv("TORCH_HOME", str(shared / "weights" / "torch_home"))
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = lpips.LPIPS(net="alex", verbose=False)
    with torch.no_grad():
        expected = package(*pair).flatten().tolist()
        assert load_lpips("alex")(*pair).tolist() == pytest.approx(expected, rel=1e-5)
