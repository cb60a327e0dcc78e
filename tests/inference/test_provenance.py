"""What the Python interface and the server write says who made the colours."""

import hashlib
import io
import json

import numpy as np
from PIL import Image

from gan_colorize.data.provenance import SOURCE_TYPE
from gan_colorize.data.xmp import OWN, Packet
from gan_colorize.inference.colorizer import Colorizer
from gan_colorize.zoo.checkpoint import load_model, save_model, weights_of


def packet_of(path) -> Packet:
    with Image.open(path) as image:
        return Packet.parse(image.info["xmp"])


def test_saved_results_name_their_weights_and_settings(network, grey_picture, tmp_path):
    path = tmp_path / "mine.safetensors"
    save_model(path, network, {})
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    session = Colorizer(path, "cpu").open(grey_picture(40, 50))
    session.colorize(temperature=0.5, seed=7).save(tmp_path / "a.jpg")
    packet = packet_of(tmp_path / "a.jpg")
    assert SOURCE_TYPE in packet.tobytes().decode()
    assert packet.text(OWN + "Model") == "mine.safetensors"
    assert packet.text(OWN + "ModelSHA256") == sha256
    settings = json.loads(packet.text(OWN + "Settings"))
    assert settings["temperature"] == 0.5 and settings["seed"] == 7


def test_a_network_of_no_file_has_no_hash(network, grey_picture, tmp_path):
    Colorizer(network, "cpu").colorize(grey_picture(40, 50)).save(tmp_path / "a.png")
    packet = packet_of(tmp_path / "a.png")
    assert packet.text(OWN + "Model") == network.name and packet.text(OWN + "ModelSHA256") is None


def test_the_hash_is_of_the_file_that_was_read(network, tmp_path):
    path = tmp_path / "m.safetensors"
    save_model(path, network, {})
    model = load_model(path)
    assert weights_of(model)[1] == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes() + b"\0")
    assert weights_of(model) == ("m.safetensors", None)
    assert weights_of(load_model("default"))[0] == "default"


def test_metadata_of_the_input_comes_along(network, grey_picture, tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Kodak"
    buffer = io.BytesIO()
    Image.fromarray(grey_picture(40, 50)).save(buffer, "JPEG", exif=exif.tobytes(), comment=b"of a wedding")
    result = Colorizer(network, "cpu").colorize(buffer.getvalue())
    result.save(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.getexif()[0x010F] == "Kodak" and image.info["comment"] == b"of a wedding"
        assert np.asarray(image).shape == (40, 50, 3)
