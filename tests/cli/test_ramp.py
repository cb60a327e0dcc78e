"""Lightness is sacred to the last bit: every grey level that a file can hold comes back as that lightness.

L is computed here in float64 from the written pixels, by IEC 61966-2-1 and CIE 15 with the primaries of
scikit-image, not by the package.
"""

import shutil
import subprocess
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.color.colorconv import xyz_from_rgb

RAMP16 = np.arange(65536, dtype=np.uint16).reshape(256, 256)
RAMP8 = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 64, axis=1)


def lightness(values, top):
    """L of (..., 3) or grey sRGB values 0..top, float64."""
    v = np.asarray(values, np.float64) / top
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    # sources give the row of Y with three to sixteen digits, and L differs by up to 0.004 between them
    y = linear @ xyz_from_rgb[1] if v.ndim == 3 else linear
    return np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)


def most_rounding(grey, top):
    """How far L may move when the value of a grey moves by half a level."""
    up = lightness(np.minimum(grey + 0.5, top), top) - lightness(grey, top)
    down = lightness(grey, top) - lightness(np.maximum(grey - 0.5, 0), top)
    return np.maximum(up, down)


def write(path, values):
    if path.suffix == ".tif":
        tifffile.imwrite(path, values, photometric="minisblack" if values.ndim == 2 else None)
    else:
        path.write_bytes(imagecodecs.png_encode(values))


def read(path):
    return tifffile.imread(path) if path.suffix == ".tif" else imagecodecs.png_decode(path.read_bytes())


@pytest.mark.parametrize("name", ["ramp.tif", "ramp.png"])
@pytest.mark.parametrize("ramp", [RAMP16, RAMP8], ids=["16", "8"])
def test_every_level_keeps_its_lightness(colorize, work, name, ramp):
    write(Path(name), ramp)
    assert colorize(name, "--output", "out").exit_code == 0
    after = read(Path("out", name))
    assert after.dtype == ramp.dtype and after.shape == (*ramp.shape, 3)
    top = np.iinfo(ramp.dtype).max
    error = np.abs(lightness(after, top) - lightness(ramp, top))
    # three channels are rounded, each by half a level at most, and their weights add up to one
    assert (error <= 1.02 * most_rounding(ramp.astype(np.float64), top) + 1e-6).all(), error.max()
    colours = np.ptp(after.astype(int), axis=2)
    assert (colours > top // 50).mean() > 0.5, "the network's colours are strong: grey would prove nothing"


@pytest.mark.parametrize("name", ["ramp.tif", "ramp.png"])
@pytest.mark.parametrize("ramp", [RAMP16, RAMP8], ids=["16", "8"])
def test_alpha_comes_back_bit_by_bit(colorize, work, name, ramp):
    top = np.iinfo(ramp.dtype).max
    alpha = np.ascontiguousarray(ramp[:, ::-1])
    pixels = np.dstack([ramp, ramp, ramp, alpha])
    if name.endswith(".tif"):
        tifffile.imwrite(name, pixels, photometric="rgb", extrasamples=["unassalpha"])
    else:
        write(Path(name), pixels)
    assert colorize(name, "--output", "out").exit_code == 0
    after = read(Path("out", name))
    assert after.dtype == ramp.dtype
    np.testing.assert_array_equal(after[..., 3], alpha)
    error = np.abs(lightness(after[..., :3], top) - lightness(ramp, top))
    assert (error <= 1.02 * most_rounding(ramp.astype(np.float64), top) + 1e-6).all(), error.max()


# What may be otherwise in a colour copy: how it is stored, and that it was made. All else must stay.
_MAY_DIFFER = {
    *("ExifTool", "System", "File", "Composite", "ICC_Profile", "ICC-header", "PNG", "JFIF", "Photoshop"),
}
_MAY_DIFFER_TAGS = {
    *("ImageWidth", "ImageHeight", "BitsPerSample", "Compression", "PhotometricInterpretation"),
    *(
        "StripOffsets",
        "SamplesPerPixel",
        "RowsPerStrip",
        "StripByteCounts",
        "PlanarConfiguration",
        "Predictor",
    ),
    *("SampleFormat", "ExtraSamples", "TileWidth", "TileLength", "TileOffsets", "TileByteCounts"),
    *("ProcessingSoftware", "ColorSpace", "ExifImageWidth", "ExifImageHeight", "Orientation", "ExifVersion"),
    *(
        "YCbCrPositioning",
        "YCbCrSubSampling",
        "ThumbnailOffset",
        "ThumbnailLength",
        "ComponentsConfiguration",
    ),
    *("FlashpixVersion", "XMPToolkit", "InteropIndex", "InteropVersion", "SubfileType", "ExifByteOrder"),
    *("CodedCharacterSet", "CurrentIPTCDigest"),
}


def tags(path):
    """{group:tag: value} by exiftool, without what may differ."""
    done = subprocess.run(
        ["exiftool", "-G1", "-s", "-a", "-n", path], capture_output=True, text=True, check=True
    )
    found = {}
    for line in done.stdout.splitlines():
        group, _, rest = line.partition("]")
        tag, _, value = rest.partition(":")
        group, tag = group.strip("[ "), tag.strip()
        if group not in _MAY_DIFFER and tag not in _MAY_DIFFER_TAGS:
            found[f"{group}:{tag}"] = value.strip()
    return found


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
@pytest.mark.parametrize("name", ["tagged.tif", "tagged.jpg", "tagged.png"])
def test_nothing_of_the_metadata_is_lost(colorize, work, name):
    values = np.linspace(20, 230, 60 * 90).astype(np.uint8).reshape(60, 90)
    Image.fromarray(values).save(name, dpi=(300, 300))
    wanted = {
        "IFD0:Artist": "A. Nobody",
        "IFD0:Copyright": "nobody, 1931",
        "IFD0:ImageDescription": "At the lake",
        "IFD0:Make": "Box",
        "IFD0:Model": "Tengor",
        "ExifIFD:DateTimeOriginal": "1931:07:01 12:00:00",
        "ExifIFD:UserComment": "glass plate 17",
        "ExifIFD:FNumber": "11",
        "ExifIFD:LensModel": "Goerz Frontar",
        "GPS:GPSLatitude": "47.5",
        "GPS:GPSLatitudeRef": "N",
        "XMP-dc:Title": "Lake",
        "XMP-dc:Creator": "A. Nobody",
        "XMP-dc:Subject": "lake",
        "XMP-photoshop:City": "Lindau",
        "XMP-xmpRights:UsageTerms": "free",
    }
    if name != "tagged.png":  # where IPTC has no agreed place
        wanted |= {"IPTC:City": "Lindau", "IPTC:Keywords": "plate"}
    subprocess.run(
        [
            "exiftool",
            "-q",
            "-overwrite_original",
            "-n",
            *(f"-{tag}={value}" for tag, value in wanted.items()),
            name,
        ],
        check=True,
    )
    before = tags(name)
    assert len(before) >= len(wanted) - 1, before
    assert colorize(name, "--output", "out").exit_code == 0
    after = tags(f"out/{name}")
    differing = {key: (value, after.get(key)) for key, value in before.items() if after.get(key) != value}
    assert differing == {}
    # and it is said of the copy what it is, in new tags only
    words = " ".join(value for key, value in after.items() if key not in before)
    assert "compositeWithTrainedAlgorithmicMedia" in words
