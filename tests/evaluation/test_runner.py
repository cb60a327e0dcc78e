"""The whole evaluation on pictures whose numbers scikit-image or arithmetic can tell."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_colorize.color.bins import bin_centres
from gan_colorize.data.folder import open_source
from gan_colorize.errors import UserError
from gan_colorize.evaluation.frames import Frame, resize_picture
from gan_colorize.evaluation.lpips_metric import load_lpips
from gan_colorize.evaluation.measure import Measure
from gan_colorize.evaluation.protocol import Settings, describe
from gan_colorize.evaluation.runner import batches_of_one_size, evaluate
from gan_colorize.evaluation.summary import summarise

BLUE = 20  # some bin far from grey
CROP = Settings(size=48)


def test_a_network_that_says_grey_gets_the_row_of_grey(photographs: Path, grey_network) -> None:
    report, _ = evaluate(grey_network, open_source(photographs), CROP)
    rows = report["rows"]
    for key, value in rows["grey"].items():
        assert rows["model"][key] == value
    # one level of rounding here and there
    assert rows["grey"]["colorfulness"] < 0.2 and rows["grey"]["colorfulness_abs"] < 0.2
    assert rows["grey"]["delta_colorfulness_of_means"] == pytest.approx(
        rows["truth"]["colorfulness"], abs=0.2
    )
    assert list(rows) == ["truth", "grey", "truth_through_pooling", "model"]
    assert report["model"]["temperature"] is None


def test_numbers_are_those_of_scikit_image_on_the_pictures_shown(photographs: Path, one_colour) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    report, grid = evaluate(one_colour(BLUE), open_source(photographs), CROP)
    assert len(grid) == report["protocol"]["photographs"] == len(report["per_image"]) == 5
    for values, (truth, grey, result) in zip(report["per_image"], grid, strict=True):
        for row, picture in (("grey", grey), ("model", result)):
            expected = metrics.peak_signal_noise_ratio(truth, picture, data_range=255)
            assert values[row]["psnr"] == pytest.approx(expected, rel=1e-5)
            expected = metrics.structural_similarity(
                truth / 255,
                picture / 255,
                data_range=1,
                channel_axis=2,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            assert values[row]["ssim"] == pytest.approx(expected, abs=1e-5)
    for row in ("grey", "model"):
        mean = np.mean([values[row]["psnr"] for values in report["per_image"]])
        assert report["rows"][row]["psnr"] == pytest.approx(mean, rel=1e-5)


def test_the_result_has_the_predicted_colour_and_the_truths_lightness(photographs: Path, one_colour) -> None:
    color = pytest.importorskip("skimage.color")
    _, grid = evaluate(one_colour(BLUE), open_source(photographs), CROP)
    hue = bin_centres()[BLUE].numpy()
    for truth, grey, result in grid:
        true, shown = color.rgb2lab(truth), color.rgb2lab(result)
        assert np.abs(shown[..., 0] - true[..., 0]).max() < 1.5  # rounding of dark, saturated blues
        assert np.abs(color.rgb2lab(grey)[..., 1:]).max() < 1
        # out of sRGB the colour is paler, never of another direction
        middle = shown[..., 1:][(shown[..., 0] > 30) & (shown[..., 0] < 70)].mean(0)
        assert middle @ hue / np.linalg.norm(middle) / np.linalg.norm(hue) > 0.9


def test_truth_through_bins_is_the_training_target_decoded(one_colour) -> None:
    from gan_colorize.color.decode import annealed_mean
    from gan_colorize.inference.predictor import Seen

    # 8x8 blocks of one colour: pooling by 4 and reducing to the same size change nothing
    colours = torch.rand(2, 2, 4, 4, generator=torch.Generator().manual_seed(5)) * 120 - 60
    ab = colours.repeat_interleave(8, 2).repeat_interleave(8, 3)
    small = colours.repeat_interleave(2, 2).repeat_interleave(2, 3)
    for temperature in (0.2, 1.0):
        measure = Measure(one_colour(BLUE), "cpu", temperature, None)
        indices, shares = measure.encoder(small)
        dense = torch.zeros(2, 313, 8, 8).scatter(1, indices, shares)
        expected = annealed_mean(dense.clamp_min(1e-30).log(), temperature)
        ours = np.stack(measure._perfect(ab.numpy(), Seen(np.zeros((32, 32), np.float32), (32, 32))))
        assert np.abs(ours - expected.numpy()).max() < 1e-3
    assert Measure(one_colour(BLUE), "cpu", None, None).temperature == 0.5  # of its metadata


def test_truth_through_bins_keeps_every_hue_when_the_picture_is_reduced(one_colour) -> None:
    """Chroma is negative for half of all colours; L never is."""
    from gan_colorize.inference.predictor import Seen

    ab = np.float32([-40, -35])[None, :, None, None] * np.ones((1, 1, 64, 64), np.float32)
    measure = Measure(one_colour(BLUE), "cpu", 0.38, None)
    (ours,) = measure._perfect(ab, Seen(np.zeros((32, 32), np.float32), (32, 32)))
    assert np.abs(ours - ab[0, :, :8, :8]).max() < 5.0  # half a bin


def test_batch_size_changes_no_number(photographs: Path, one_colour, random_trunk: Path) -> None:
    lpips = load_lpips("alex", random_trunk)
    for resize in ("native", "stretch"):
        reports = [
            evaluate(
                one_colour(BLUE), open_source(photographs), Settings(resize, 64, batch_size=n), lpips=lpips
            )[0]
            for n in (1, 3, 16)
        ]
        for report in reports[1:]:
            assert report["protocol"] == reports[0]["protocol"]
            for ours, theirs in zip(report["per_image"], reports[0]["per_image"], strict=True):
                assert ours.pop("name") == theirs["name"]
                for row, values in ours.items():
                    assert values == pytest.approx(theirs[row], rel=1e-4)
    names = [Path(values["name"]).name for values in reports[0]["per_image"]]
    assert names == ["0.png", "1.png", "2.png", "3.png", "4.png"]


def test_protocol_id_follows_the_content_and_the_settings(
    photographs: Path, tmp_path: Path, one_colour
) -> None:
    def identity(folder: Path, settings: Settings = CROP, bin_index: int = BLUE) -> str:
        return evaluate(one_colour(bin_index), open_source(folder), settings)[0]["protocol"]["id"]

    original = identity(photographs)
    renamed = tmp_path / "elsewhere"
    renamed.mkdir()
    for path in photographs.iterdir():
        (renamed / f"x{9 - int(path.stem)}.png").write_bytes(path.read_bytes())
    assert identity(renamed) == original
    assert identity(photographs, bin_index=7) == original  # the model is not part of the protocol
    assert original.startswith("crop48-n5-nolpips-")
    others = [Settings(size=64), Settings("stretch", 48), Settings("native"), Settings(size=48, limit=4)]
    assert len({original} | {identity(photographs, settings) for settings in others}) == 5
    (renamed / "x5.png").unlink()
    Image.new("RGB", (48, 48), (200, 30, 40)).save(renamed / "x5.png")
    assert identity(renamed) != original


def test_protocol_ids_of_published_numbers_stay() -> None:
    """An id that changes by accident would cut published numbers off from new ones."""
    assert describe(Settings(), None, ["b" * 64, "a" * 64])["id"] == "crop256-n2-nolpips-5003bc5d33"
    assert describe(Settings("native"), None, ["c" * 64])["id"] == "native-n1-nolpips-2b11edb701"


def test_protocol_id_names_the_trunk(
    photographs: Path, one_colour, random_trunk: Path, tmp_path: Path
) -> None:
    state = torch.load(random_trunk, weights_only=True)
    state["features.0.bias"] += 1e-3
    torch.save(state, tmp_path / "other.pth")
    ids = {
        evaluate(one_colour(BLUE), open_source(photographs), CROP, lpips=load_lpips("alex", trunk))[0][
            "protocol"
        ]["id"]
        for trunk in (random_trunk, tmp_path / "other.pth")
    }
    assert len(ids) == 2


def test_broken_and_grey_files_are_listed_and_the_rest_is_measured(photographs: Path, one_colour) -> None:
    clean, _ = evaluate(one_colour(BLUE), open_source(photographs), CROP)
    (photographs / "empty.jpg").touch()
    (photographs / "text.jpg").write_text("no picture")
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 90).convert("RGB").save(buffer, "JPEG")
    (photographs / "cut.jpg").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    Image.effect_noise((64, 64), 50).save(photographs / "grey.png")
    report, _ = evaluate(one_colour(BLUE), open_source(photographs), CROP)
    assert sorted(Path(item["name"]).name for item in report["broken"]) == [
        "cut.jpg",
        "empty.jpg",
        "text.jpg",
    ]
    assert all(item["reason"] and "\n" not in item["reason"] for item in report["broken"])
    assert [Path(name).name for name in report["skipped_grey"]] == ["grey.png"]
    assert report["rows"] == clean["rows"]
    assert report["protocol"] == clean["protocol"]


def test_nothing_to_measure_is_said_in_one_line(tmp_path: Path, one_colour) -> None:
    Image.effect_noise((64, 64), 50).save(tmp_path / "grey.png")
    with pytest.raises(UserError, match="no colour photograph among 1: all are grey"):
        evaluate(one_colour(BLUE), open_source(tmp_path), CROP)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UserError, match="1 are grey and 1 cannot be used"):
        evaluate(one_colour(BLUE), open_source(tmp_path), CROP)
    (tmp_path / "grey.png").unlink()
    with pytest.raises(UserError, match=r"none of 1 photographs can be used; the first, .*text\.png"):
        evaluate(one_colour(BLUE), open_source(tmp_path), CROP)


def test_resize_modes() -> None:
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, :20], picture[:, 60:] = 255, 255  # white at both ends, outside the centred square
    assert resize_picture(picture, "centre-crop", 64).shape == (64, 64, 3)
    assert resize_picture(picture, "centre-crop", 64).max() == 0
    assert resize_picture(picture, "stretch", 40)[:, :5].min() == 255
    assert resize_picture(picture, "native", 7) is picture
    assert resize_picture(picture[:, :40], "centre-crop", 40).shape == (40, 40, 3)
    with pytest.raises(UserError, match="80x20 is too small"):
        resize_picture(picture[:20], "native", 0)
    huge = np.lib.stride_tricks.as_strided(picture, (5000, 5000, 3), (0, 0, 1))  # no memory of its own
    with pytest.raises(UserError, match="5000x5000 is too large"):
        resize_picture(huge, "native", 0)


def test_extreme_shapes_are_measured(tmp_path: Path, one_colour, photographs: Path) -> None:
    Image.fromarray(np.array([[[200, 30, 40]]], np.uint8)).save(photographs / "pixel.png")
    strip = np.asarray(Image.open(photographs / "0.png").resize((4000, 20)))
    Image.fromarray(strip).save(photographs / "strip.png")
    for resize in ("centre-crop", "stretch"):
        report, _ = evaluate(one_colour(BLUE), open_source(photographs), Settings(resize, 48))
        assert report["protocol"]["photographs"] == 7
    report, _ = evaluate(one_colour(BLUE), open_source(photographs), Settings("native"))
    assert {item["reason"].split()[0] for item in report["broken"]} == {"1x1", "4000x20"}


def test_batches_hold_one_size_each_picture_once_and_bounded_pixels() -> None:
    sizes = [
        (64, 64),
        (128, 64),
        (64, 64),
        (300, 300),
        (64, 64),
        (128, 64),
        *[(32, 32 + n) for n in range(90)],
    ]
    frames = [Frame(n, str(n), rgb8=np.empty((*size, 3), np.uint8)) for n, size in enumerate(sizes)]
    pulled = 0

    def stream():
        nonlocal pulled
        for frame in frames:
            pulled += 1
            yield frame

    given, waiting = [], []
    for batch in batches_of_one_size(stream(), 1):
        assert len({frame.rgb8.shape for frame in batch}) == 1
        assert len(batch) == 1 or sum(frame.rgb8.size // 3 for frame in batch) <= 256 * 256
        given += [frame.index for frame in batch]
        waiting.append(
            sum(f.rgb8.size // 3 for f in frames[:pulled]) - sum(frames[i].rgb8.size // 3 for i in given)
        )
    assert sorted(given) == list(range(len(frames)))
    assert max(waiting) <= 4 * 256 * 256


def test_summary_in_round_numbers() -> None:
    def photograph(truth: float, model: float) -> dict:
        return {
            row: {"colorfulness": value, "colorfulness_abs": value / 2}
            for row, value in (("truth", truth), ("grey", 0.0), ("model", model))
        }

    rows = summarise([photograph(40, 30), photograph(60, 74)])
    assert rows["model"]["delta_colorfulness_of_means"] == 2
    assert rows["model"]["mean_delta_colorfulness"] == 12
    assert rows["model"]["delta_colorfulness_abs_of_means"] == 1
    assert rows["model"]["mean_delta_colorfulness_abs"] == 6
    assert rows["model"]["colorfulness_ratio"] == 1.04
    assert rows["grey"]["mean_delta_colorfulness"] == rows["model"]["truth_colorfulness"] == 50
    # 1.96 * sample deviation / sqrt(2) of 30 and 74 = 1.96 * 22
    assert rows["model"]["ci95"]["colorfulness"] == pytest.approx(43.12)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_the_gpu_gives_the_same_numbers(photographs: Path, random_trunk: Path) -> None:
    from gan_colorize.models import create_model

    torch.manual_seed(0)
    network = create_model("unet", {}).eval()
    network.metadata = {"working_size": "32", "temperature": "0.5"}
    cpu, gpu = (
        evaluate(network, open_source(photographs), CROP, device, load_lpips("alex", random_trunk, device))[0]
        for device in ("cpu", "cuda")
    )
    for row, values in cpu["rows"].items():
        for key, value in values.items():
            if key != "ci95":
                assert gpu["rows"][row][key] == pytest.approx(value, rel=5e-3, abs=5e-3)
