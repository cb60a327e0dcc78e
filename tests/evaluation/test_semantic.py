"""The semantic check: labels from names, top-1 and agreement by hand, torchvision's weights or one line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gan_colorize.data.folder import open_source
from gan_colorize.errors import UserError
from gan_colorize.evaluation.protocol import Settings
from gan_colorize.evaluation.report import markdown, table
from gan_colorize.evaluation.runner import evaluate
from gan_colorize.evaluation.semantic import Recogniser, label_of, load_recogniser

MEAN, SPREAD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
TENCH, GOLDFISH = 0, 1  # what ColourOrGrey says of grey and of colour


class ColourOrGrey(nn.Module):
    """Calls a colourful picture a goldfish and a grey one a tench; remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, pictures: Tensor) -> Tensor:
        self.seen.append(pictures)
        rgb = pictures * torch.from_numpy(SPREAD)[:, None, None] + torch.from_numpy(MEAN)[:, None, None]
        colourful = (rgb.amax(1) - rgb.amin(1)).mean((1, 2)) > 0.02
        return torch.nn.functional.one_hot(colourful.long(), 1000).float()


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("n01440764_tench.webp", 0),
        ("/data/n01484850_great_white_shark.webp", 2),
        ("shards-00.tar/n02099267_flat-coated_retriever.jpg", 205),
        ("n02966687_carpenter's_kit.webp", 477),
        ("goldfish 12.png", 1),
        ("/data/goldfish/0001.jpg", 1),
        ("Images/n02085620-Chihuahua/n02085620_10074.jpg", 151),
        ("Great White Shark/img.jpg", 2),
        # two classes share these names
        ("n02012849_crane.jpg", 134),
        ("n03126707_crane.jpg", 517),
        ("n02113186_Cardigan.jpg", 264),
        ("n02963159_cardigan.jpg", 474),
        ("n03710721_maillot.jpg", 639),
        ("crane.jpg", None),
        ("Cardigan/3.jpg", None),
        ("n01440764_crane.jpg", None),
        # no class at all
        ("n01440764/ILSVRC2012_val_00000293.JPEG", None),
        ("holiday/IMG_2041.jpg", None),
        ("tenches.jpg", None),
        ("000123.webp", None),
        ("new\nline.jpg", None),
        ("", None),
    ],
)
def test_labels_come_from_the_name_of_the_file_or_of_its_folder(name: str, label: int | None) -> None:
    assert label_of(name) == label


def test_labels_follow_the_order_of_wordnet_ids(shared: Path) -> None:
    """ImageNet numbers its classes in the order of their ids, so each new id must have a higher number."""
    names = sorted(path.name for path in (shared / "data" / "val256").glob("*.webp"))
    labels = [label_of(name) for name in names]
    assert len(names) == 458 and None not in labels
    assert labels == sorted(set(labels))


def test_top1_and_agreement_by_hand() -> None:
    compare = Recogniser(ColourOrGrey(), "test").compare
    names = ["tench.jpg", "tench.jpg", "goldfish.jpg", "somebody.jpg", "somebody.jpg"]
    assert compare([0, 1, 1, 1, 7], [0, 0, 0, 1, 1], names) == {
        "top1": [100, 0, 100, None, None],
        "top1_agreement": [100, 0, 0, 100, 0],
    }


def test_pictures_reach_the_network_as_torchvision_prepares_them() -> None:
    rgb8 = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    network = ColourOrGrey()
    recogniser = Recogniser(network, "test")
    recogniser(torch.from_numpy(rgb8).permute(2, 0, 1)[None])
    expected = (np.float32(rgb8[16:240, 16:240]) / 255 - MEAN) / SPREAD
    assert np.abs(network.seen[0][0].permute(1, 2, 0).numpy() - expected).max() < 1e-5
    # a strip gives its centre, not a picture of 256 x 15000
    sizes = []
    recogniser.prepare.register_forward_pre_hook(lambda module, inputs: sizes.append(inputs[0].shape[2:]))
    strip = torch.zeros(1, 3, 33, 2000, dtype=torch.uint8)
    strip[..., 980:1020] = 255
    recogniser(strip)
    assert sizes == [(33, 33)] and network.seen[1].shape == (1, 3, 224, 224)
    assert (network.seen[1] > 2).all()  # white


def test_many_pictures_come_back_in_order() -> None:
    colourful = torch.arange(70) % 3 == 0
    pictures = torch.full((70, 3, 32, 32), 90, dtype=torch.uint8)
    pictures[colourful, 0] = 200
    network = ColourOrGrey()
    assert Recogniser(network, "test")(pictures) == colourful.long().tolist()
    assert max(len(batch) for batch in network.seen) <= 32


def test_the_report_counts_labelled_photographs_only_and_agreement_over_all(
    photographs: Path, one_colour
) -> None:
    for number, name in enumerate(("goldfish", "n01443537_goldfish", "tench", "street")):
        (photographs / f"{number}.png").rename(photographs / f"{name}.png")
    source, recogniser = open_source(photographs), Recogniser(ColourOrGrey(), "a name")
    report, _ = evaluate(one_colour(20), source, Settings(size=48), recogniser=recogniser)
    rows = report["rows"]
    # labelled: two goldfish, one tench; everything but grey is seen as a goldfish
    for row, top1, agreement in (("truth", 200 / 3, 100), ("grey", 100 / 3, 0), ("model", 200 / 3, 100)):
        assert rows[row]["top1"] == pytest.approx(top1, rel=1e-5)
        assert rows[row]["top1_agreement"] == agreement
    assert report["notes"] == ["top-1 is over 3 of 5 photographs: those called after their ImageNet class"]
    assert "a name" in report["protocol"]["top1"]
    # of 100, 100, 0: 1.96 * 57.735 / sqrt(3), three photographs and not five
    assert rows["model"]["ci95"]["top1"] == pytest.approx(65.333, abs=1e-2)
    by_name = {Path(values["name"]).stem: values["grey"]["top1"] for values in report["per_image"]}
    assert by_name == {"goldfish": 0, "n01443537_goldfish": 0, "tench": 100, "street": None, "4": None}
    assert "| top-1 % ↑ | as truth % ↑ |" in markdown(report)

    without, _ = evaluate(one_colour(20), source, Settings(size=48))
    assert without["protocol"]["id"] == report["protocol"]["id"]  # no other number changes
    assert "top1" not in without["protocol"] and "top-1" not in markdown(without)
    for row in rows:
        for key, value in without["rows"][row].items():
            assert key == "ci95" or rows[row][key] == value


def test_without_labels_there_is_agreement_and_no_top1(photographs: Path, one_colour) -> None:
    recogniser = Recogniser(ColourOrGrey(), "test")
    report, _ = evaluate(one_colour(20), open_source(photographs), Settings(size=48), recogniser=recogniser)
    assert report["rows"]["model"]["top1"] is None and report["rows"]["model"]["top1_agreement"] == 100
    assert "top1" not in report["rows"]["model"]["ci95"]
    assert not any("top-1" in line for line in table(report["rows"]))


def test_missing_and_wrong_weights_are_one_line_and_nothing_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: list[str]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / "mobilenet_v2-b0353104.pth"

    def line() -> str:
        with pytest.raises(UserError) as caught:
            load_recogniser()
        assert "\n" not in str(caught.value) and str(place) in str(caught.value)
        return str(caught.value)

    assert "TORCH_HOME" in line() and "https://download.pytorch.org/" in line()
    place.parent.mkdir(parents=True)
    place.write_bytes(b"<html>not found</html>")
    assert "cut short or another file" in line()
    place.unlink()
    place.mkdir()
    assert "cannot be read" in line()
    assert no_network == []


def test_the_real_recogniser_agrees_with_torchvisions_own_way(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shared / "weights" / "torch_home"
    if not (home / "hub" / "checkpoints" / "mobilenet_v2-b0353104.pth").is_file():
        pytest.skip("no MobileNetV2 weights among the development data")
    monkeypatch.setenv("TORCH_HOME", str(home))
    from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

    paths = sorted((shared / "data" / "val256").glob("*.webp"))[::46]
    pictures = [Image.open(path).convert("RGB") for path in paths]
    weights = MobileNet_V2_Weights.IMAGENET1K_V1
    network = mobilenet_v2(weights=weights).eval()
    with torch.no_grad():
        batch = torch.stack([weights.transforms()(picture) for picture in pictures])
        expected = network(batch).argmax(1).tolist()
    rgb8 = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2)
    recogniser = load_recogniser()
    assert recogniser(rgb8) == expected
    assert "IMAGENET1K_V1" in recogniser.name
    top1 = recogniser.compare(expected, expected, [path.name for path in paths])["top1"]
    assert sum(top1) / len(top1) > 50  # far from the 0.1 of chance: labels and classes are of one list
