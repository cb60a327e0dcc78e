"""The verb export, and colorize with what it wrote."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnxscript", reason="needs the extra onnx")
pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")


def test_exported_weights_colour_as_the_others_do(run, weights, work, grey_files):
    grey_files("in/a.png", "in/b.png")
    result = run("export", "--model", weights, "--output", "m.onnx")
    assert result.exit_code == 0, result.output
    assert "lightness" in result.output
    assert "largest difference from torch" in result.output
    ways = {
        "torch": ("--model", weights, "--precision", "fp32", "--device", "cpu"),
        "file": ("--model", "m.onnx", "--runtime", "onnx"),
        "cache": ("--model", weights, "--runtime", "onnx"),
    }
    for name, options in ways.items():
        result = run("colorize", "in", "--output", name, *options)
        assert result.exit_code == 0, result.output
    for name in ("a.png", "b.png"):
        pictures = [np.asarray(Image.open(work / way / name)).astype(int) for way in ways]
        assert np.ptp(pictures[0], axis=2).max() > 20  # it has colours at all
        for other in pictures[1:]:
            assert abs(pictures[0] - other).max() <= 1


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("export", "--output", "m.bin"), 2, "must end in .onnx"),
        (("export", "--model", "absent.safetensors", "--output", "m.onnx"), 1, "model not found"),
        (("colorize", "in", "--output", "out", "--runtime", "onnx", "--compile"), 2, "--compile is for"),
        (
            ("colorize", "in", "--output", "out", "--runtime", "onnx", "--device", "cuda"),
            1,
            "runs on the CPU",
        ),
        (("colorize", "in", "--output", "out", "--model", "bad.onnx"), 1, "add --runtime onnx"),
        (("colorize", "in", "--output", "out", "--model", "bad.onnx", "--runtime", "onnx"), 1, "not an ONNX"),
    ],
)
def test_what_cannot_be_is_one_line(run, work, grey_files, arguments, code, line):
    grey_files("in/a.png")
    (work / "bad.onnx").write_bytes(b"nothing of the kind")
    result = run(*arguments)
    assert result.exit_code == code
    assert line in result.output
    assert "Traceback" not in result.output
