"""An exported network is the same function, and a file that is not what it says is refused in one line."""

import copy
import json

import pytest
import torch

from gan_colorize.errors import UserError
from gan_colorize.inference import export
from gan_colorize.inference.onnx_network import load_for_onnx, load_onnx
from gan_colorize.inference.predictor import Predictor, Settings
from gan_colorize.models import Conditions, create_model
from gan_colorize.zoo.checkpoint import save_model

pytest.importorskip("onnxscript", reason="needs the extra onnx")
onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")

SHA = "ab" * 32
SMALL = {
    "cic": {"width": 4},
    "user_guided": {"width": 4, "global_hints": True},
    "palette_colorizer": {"width": 4},
    "rbdn": {"width": 4, "trunk": 2, "kernel": 5, "output": "lightness", "branches": 2},
    "dahl": {"trunk": "vgg11", "width": 4},
    "wallner": {"width": 8, "recogniser": "shufflenet_v2_x0_5", "recogniser_size": 32},
}


@pytest.fixture(scope="session")
def exported(listener, tmp_path_factory):
    """The file of the network that listens to everything, and what was said of it."""
    path = tmp_path_factory.mktemp("onnx") / "listener.onnx"
    return path, export.export_model(listener, path, SHA)


def values(prediction):
    found = (prediction.logits, prediction.ab, prediction.lightness)
    return [value for value in found if value is not None]


def test_the_file_says_what_it_is(exported, listener):
    path, result = exported
    proto = onnx.load(path)
    onnx.checker.check_model(proto)
    about = {entry.key: entry.value for entry in proto.metadata_props}
    assert about["model"] == "unet"
    assert about["weights_sha256"] == SHA
    assert about["working_size"] == "64"
    contract = json.loads(about["contract"])
    assert contract["size_divisor"] == 32
    assert contract["takes"] == ["hints", "histogram", "palette", "saturation"]
    names = ["lightness", "hints", "mask", "histogram", "saturation", "palette"]
    assert [entry.name for entry in proto.graph.input] == names == list(result.inputs)
    assert [entry.name for entry in proto.graph.output] == ["logits"]
    assert [child.name for child in path.parent.iterdir()] == ["listener.onnx"]  # one file, nothing beside it


def test_onnxruntime_alone_gives_what_torch_gives_at_sizes_never_compared(exported, listener):
    session = onnxruntime.InferenceSession(str(exported[0]))
    lightness = torch.rand(2, 1, 96, 224) * 100
    told = {"hints": torch.zeros(2, 2, 96, 224), "mask": torch.zeros(2, 1, 96, 224)}
    told |= {
        "histogram": torch.zeros(2, 313),
        "saturation": -torch.ones(2, 1),
        "palette": torch.zeros(2, 5, 3),
    }
    feed = {name: value.numpy() for name, value in {"lightness": lightness, **told}.items()}
    (logits,) = session.run(None, feed)
    with torch.no_grad():
        expected = listener(lightness).logits  # told nothing at all
    torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=1e-4, atol=1e-3)


def test_every_wish_goes_through_the_graph(exported, listener):
    network = load_onnx(exported[0])
    lightness = torch.rand(1, 1, 64, 96) * 100
    mask = torch.zeros(1, 1, 64, 96)
    mask[..., 5:9, 6:10] = 1
    wishes = [
        Conditions(hints=mask * torch.tensor([50.0, -40.0])[None, :, None, None], mask=mask),
        Conditions(histogram=torch.full((1, 313), 1 / 313)),
        Conditions(saturation=torch.tensor([[0.8]])),
        Conditions(palette=torch.rand(1, 5, 3) * 60),
    ]
    with torch.no_grad():
        automatic = network(lightness).logits
        for wish in wishes:
            got, expected = network(lightness, wish).logits, listener(lightness, wish).logits
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-3)
            assert (got - automatic).abs().max() > 0.1, wish


@pytest.mark.parametrize("name", SMALL)
def test_other_networks_are_the_same_function(name, tmp_path):
    torch.manual_seed(0)
    model = create_model(name, SMALL[name]).eval()
    export.export_model(model, tmp_path / "m.onnx", SHA)
    network = load_onnx(tmp_path / "m.onnx")
    divisor = model.contract.size_divisor
    lightness = torch.rand(2, 1, 5 * divisor, 6 * divisor) * 100
    with torch.no_grad():
        for got, expected in zip(values(network(lightness)), values(model(lightness)), strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-2)


def test_what_cannot_be_a_graph_says_why():
    with pytest.raises(UserError, match="reads words, not pictures"):
        export.export_bytes(create_model("text2palette", {"vocabulary": "sea", "width": 8}), SHA)
    options = {"hidden": [8, 8, 8], "groups": 5, "recogniser_size": 32}
    with pytest.raises(UserError, match="scikit-image"):
        export.export_bytes(create_model("deep_colorization", options), SHA)


def test_a_graph_that_gives_other_numbers_is_not_written(network, tmp_path, monkeypatch):
    def wrong(graph, name, real=export._traced):
        other = copy.deepcopy(graph)
        other.network.head.bias.data[3] += 0.5
        return real(other, name)

    monkeypatch.setattr(export, "_traced", wrong)
    with pytest.raises(UserError, match="gives other numbers than torch"):
        export.export_model(network, tmp_path / "m.onnx", SHA)
    assert not list(tmp_path.iterdir())


def test_the_predictor_draws_the_same_colours(exported, listener, grey_picture):
    network = load_onnx(exported[0])
    lightness = grey_picture(70, 90).astype("float32") / 2.55
    colours = []
    for model in (listener, network):
        predictor = Predictor(model, "cpu", "fp32")
        seen = [predictor.see(lightness)]
        colours.append(predictor.decode(predictor.predict(seen), seen, Settings())[0].ab[0])
    assert abs(colours[0]).max() > 5
    assert abs(colours[0] - colours[1]).max() < 0.01


def test_a_model_file_is_exported_once_and_again_when_the_cache_is_damaged(network, tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_COLORIZE_CACHE", str(tmp_path / "cache"))
    save_model(tmp_path / "m.safetensors", network, {"working_size": 64})
    first, path = load_for_onnx(tmp_path / "m.safetensors")
    assert path == tmp_path / "m.safetensors"
    assert first.metadata["working_size"] == "64"
    (cached,) = (tmp_path / "cache" / "onnx").iterdir()
    before = cached.stat().st_mtime_ns
    load_for_onnx(path)
    assert cached.stat().st_mtime_ns == before
    cached.write_bytes(cached.read_bytes()[:1000])
    load_for_onnx(path)
    assert cached.stat().st_size > 1000
    assert len(list(cached.parent.iterdir())) == 1


def spoiled(path, change):
    proto = onnx.load(path)
    change(proto)
    return proto.SerializeToString()


def outside(proto):
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def lying(proto):
    for entry in proto.metadata_props:
        if entry.key == "contract":
            entry.value = json.dumps(json.loads(entry.value) | {"takes": [], "size_divisor": 10**9})


def narrower(proto):
    for entry in proto.metadata_props:
        if entry.key == "contract":
            entry.value = json.dumps(json.loads(entry.value) | {"takes": []})


def other_bins(proto):
    next(entry for entry in proto.metadata_props if entry.key == "bins_hash").value = "0" * 64


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (outside, "keeps data in other files"),
        (lying, "its contract is none that this version knows"),
        (narrower, "does not take and give what it says"),
        (other_bins, "another set of ab bins"),
        (lambda proto: proto.ClearField("metadata_props"), "was not written by gan-colorize export"),
        (lambda proto: proto.graph.node[0].__setattr__("op_type", "Surprise"), "onnxruntime cannot load it"),
    ],
)
def test_hostile_files_are_one_line(exported, tmp_path, change, line):
    path = tmp_path / "bad.onnx"
    path.write_bytes(spoiled(exported[0], change))
    with pytest.raises(UserError, match=line) as caught:
        load_onnx(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04nonsense", b"<html>", b"\x80\x02}q\x00."])
def test_other_kinds_of_files_are_one_line(tmp_path, data):
    path = tmp_path / "bad.onnx"
    path.write_bytes(data)
    with pytest.raises(UserError, match="is not an ONNX file"):
        load_onnx(path)
    with pytest.raises(UserError, match="model not found"):
        load_onnx(tmp_path / "absent.onnx")
