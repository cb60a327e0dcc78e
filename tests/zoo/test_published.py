"""Published weights: the authors' layouts load and mean the same; every other file is told by what it is."""

import os
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner
from published_layouts import random_state, run_cic, run_user_guided

from gan_colorize.cli.main import main
from gan_colorize.color.bins import bin_centres
from gan_colorize.errors import UserError
from gan_colorize.models import Conditions, create_model
from gan_colorize.zoo import published
from gan_colorize.zoo.checkpoint import default_temperature, file_hash, load_model, working_size
from gan_colorize.zoo.published import convert
from gan_colorize.zoo.registry import PUBLISHED


def state_of(name):
    state = random_state(name)
    if name == "cic":
        state["model_out.weight"] = bin_centres().T[:, :, None, None] / 110
    return state


@pytest.fixture(scope="module")
def states():
    return {name: state_of(name) for name in PUBLISHED}


def repeated(state):
    """The same names and shapes, of which torch writes a few hundred KB instead of 130 MB: a kernel's numbers
    are the same for all its inputs, and are stored once."""
    return {
        key: value[:, :1].clone().expand_as(value) if value.ndim == 4 and value.shape[1] > 1 else value
        for key, value in state.items()
    }


@pytest.fixture
def deleted_after(tmp_path):
    """A path for a model of its real size, which pytest would keep for three runs."""
    path = tmp_path / "model.safetensors"
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def as_published(monkeypatch):
    """A function: from now on this file is the published one of that name."""

    def declare(name, path):
        entry = replace(PUBLISHED[name], size=path.stat().st_size, sha256=file_hash(path))
        monkeypatch.setitem(PUBLISHED, name, entry)

    return declare


def run(*arguments):
    """Exit code and output, which must be one line."""
    result = CliRunner().invoke(main, ["import", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output.strip()


def refused(*arguments):
    code, output = run(*arguments)
    assert code == 1 and output.startswith("Error: ") and "\n" not in output
    return output


@pytest.mark.parametrize(("name", "millions"), [("cic", "32.24"), ("user_guided", "34.19")])
def test_names_and_shapes_are_the_published_ones(states, name, millions):
    model = create_model(name)
    ours = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert ours == {key: tuple(value.shape) for key, value in states[name].items()}
    model.load_state_dict(states[name], strict=True)
    assert f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f}" == millions


def test_file_names_carry_the_hashes():
    for entry in PUBLISHED.values():
        assert entry.file_name.endswith(f"-{entry.sha256[:8]}.pth") and len(entry.sha256) == 64
        assert entry.url.endswith(entry.file_name)


@torch.no_grad()
def test_cic_is_the_published_network(states):
    lightness = torch.rand(2, 1, 32, 40) * 100
    logits, ab = run_cic(states["cic"], lightness)
    prediction = convert("cic", states["cic"])(lightness)
    torch.testing.assert_close(prediction.logits, logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(prediction.decode(1.0), ab, rtol=1e-4, atol=1e-3)


@torch.no_grad()
def test_user_guided_is_the_published_network(states):
    lightness, hints = torch.rand(2, 1, 32, 40) * 100, torch.zeros(2, 2, 32, 40)
    mask = torch.zeros(2, 1, 32, 40)
    hints[0, :, 3:9, 4:11], mask[0, :, 3:9, 4:11] = 60.0, 1.0
    ab, logits = run_user_guided(states["user_guided"], lightness, hints, mask)
    model = convert("user_guided", states["user_guided"])
    prediction = model(lightness, Conditions(hints=hints, mask=mask))
    torch.testing.assert_close(prediction.ab, ab, rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(prediction.logits, logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model(lightness[1:]).ab, ab[1:], rtol=1e-4, atol=1e-2)


@torch.no_grad()
def test_bins_in_another_order_are_put_into_ours(states):
    lightness = torch.rand(1, 1, 32, 32) * 100
    other = dict(states["cic"])
    shuffled = torch.randperm(313, generator=torch.Generator().manual_seed(3))
    for key in ("model8.6.weight", "model8.6.bias"):
        other[key] = other[key][shuffled]
    other["model_out.weight"] = other["model_out.weight"][:, shuffled]
    wanted = convert("cic", states["cic"])(lightness).logits
    torch.testing.assert_close(convert("cic", other)(lightness).logits, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("change", [lambda w: w * 1.1, lambda w: w[:, [0, 0, *range(2, 313)]]])
def test_other_bins_are_refused(states, change):
    state = states["cic"] | {"model_out.weight": change(states["cic"]["model_out.weight"])}
    with pytest.raises(UserError, match=r"^model_out\.weight holds other colours than the 313 bins[^\n]*$"):
        convert("cic", state)


def test_a_state_dict_without_counters_loads(states):
    old = {key: value for key, value in states["cic"].items() if not key.endswith("num_batches_tracked")}
    assert convert("cic", old).model1[4].num_batches_tracked == 0


@torch.no_grad()
def test_import_writes_a_model_that_says_what_it_is(states, tmp_path, as_published, deleted_after):
    file, output = tmp_path / "cic.pth", deleted_after
    state = repeated(states["cic"]) | {"model_out.weight": states["cic"]["model_out.weight"]}
    torch.save(state, file)
    assert file.stat().st_size < 3e6
    as_published("cic", file)
    code, said = run("cic", "--file", file, "--output", output)
    assert code == 0 and "BSD-2-Clause" in said
    model = load_model(output)
    assert (default_temperature(model), working_size(model)) == (1.0, 256)
    about = model.metadata
    assert about["licence"] == "BSD-2-Clause" and "ImageNet" in about["training_data"]
    assert about["imported_sha256"] == file_hash(file) and "richzhang" in about["imported_from"]
    lightness = torch.rand(1, 1, 32, 32) * 100
    assert torch.equal(model(lightness).logits, convert("cic", state)(lightness).logits)


def test_a_file_with_another_hash_is_refused(states, tmp_path):
    torch.save(repeated(states["cic"]), tmp_path / "own.pth")
    said = refused("cic", "--file", tmp_path / "own.pth", "--output", tmp_path / "o.safetensors")
    assert "sha256 begins with" in said and "9b330a0b" in said
    assert not (tmp_path / "o.safetensors").exists()


def test_weights_of_the_other_network_are_named(states, tmp_path):
    torch.save(repeated(states["user_guided"]), tmp_path / "x.pth")
    said = refused("cic", "--file", tmp_path / "x.pth", "--output", tmp_path / "o.safetensors")
    assert "holds the weights of user_guided" in said


@pytest.mark.parametrize("new_format", [True, False])
def test_a_cut_file_is_named(tmp_path, new_format):
    whole, cut = tmp_path / "whole.pth", tmp_path / "cut.pth"
    torch.save({"model1.0.weight": torch.zeros(9_000)}, whole, _use_new_zipfile_serialization=new_format)
    cut.write_bytes(whole.read_bytes()[:30_000])
    said = refused("cic", "--file", cut, "--output", tmp_path / "o.safetensors")
    assert "is cut short (30,000 of 128,976,165 bytes)" in said


class Code:
    def __reduce__(self):
        return os.mkdir, (os.environ["MUST_NOT_APPEAR"],)


def test_code_in_a_file_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("MUST_NOT_APPEAR", str(tmp_path / "ran"))
    torch.save({"model1.0.weight": Code()}, tmp_path / "bad.pth")
    said = refused("cic", "--file", tmp_path / "bad.pth", "--output", tmp_path / "o.safetensors")
    assert "holds more than tensors" in said and not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n<!doctype html><title>403</title>", "is a web page"),
        (b"some text", "is no PyTorch file"),
        (None, "No such file"),
    ],
)
def test_other_files_are_named(tmp_path, content, words):
    file = tmp_path / "x.pth"
    if content is not None:
        file.write_bytes(content)
    assert words in refused("cic", "--file", file, "--output", tmp_path / "o.safetensors")


def test_other_contents_are_named(tmp_path):
    file = tmp_path / "x.pth"
    others = (([1, 2], "something else than"), ({"weight": torch.zeros(2)}, "it lacks model1.0.weight"))
    for content, words in others:
        torch.save(content, file)
        assert words in refused("cic", "--file", file, "--output", tmp_path / "o.safetensors")


def test_without_a_file_torchs_cache_is_looked_into(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    output = tmp_path / "o.safetensors"
    said = refused("user_guided", "--output", output)
    assert "--download" in said and PUBLISHED["user_guided"].url in said

    cached = published.cached_file("user_guided")
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"something")
    assert refused("user_guided", "--output", output) == f"Error: {cached}: is no PyTorch file"


def test_downloads_are_checked_and_kept(tmp_path, monkeypatch, as_published):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    served = tmp_path / "served.pth"
    served.write_bytes(b"what the authors serve")
    as_published("cic", served)
    monkeypatch.setattr(type(PUBLISHED["cic"]), "url", property(lambda entry: served.as_uri()))
    kept = published.download("cic", progress=False)
    assert kept == published.cached_file("cic") and kept.read_bytes() == served.read_bytes()

    served.write_bytes(b"something else")
    assert published.download("cic", progress=False) == kept  # what is kept needs no second download
    kept.unlink()
    arguments = ("cic", "--download", "--output", tmp_path / "o.safetensors")
    assert "not the published file" in refused(*arguments)
    assert not kept.exists()
    served.unlink()
    said = refused(*arguments)
    assert "cannot download" in said and "--file" in said


def test_bad_options():
    for arguments in (
        ("cix", "--output", "o.safetensors"),
        ("cic", "--output", "o.pth"),
        ("cic", "--file", "x.pth", "--download", "--output", "o.safetensors"),
    ):
        assert run(*arguments)[0] == 2
