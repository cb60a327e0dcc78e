"""The palette generation network: counts, a recomputation by layers, words in and out of its vocabulary."""

import pytest
import torch

from gan_colorize.errors import UserError
from gan_colorize.inference.predictor import Predictor
from gan_colorize.models import create_discriminator, create_model
from gan_colorize.text import vectors
from gan_colorize.zoo.checkpoint import load_model, save_model

WORDS = "autumn deep forest sea zzqx"


@pytest.fixture
def model(word_vectors):
    """A small network whose vocabulary is partly that of the vectors, with learned offsets."""
    torch.manual_seed(0)
    network = create_model("text2palette", {"vocabulary": WORDS, "width": 8}).eval()
    network.load_pretrained()
    torch.nn.init.normal_(network.offsets)
    return network


def draw(model, texts, samples=2, seed=0):
    words, _ = model.read(texts)
    return model(words, model.noise(words, samples, torch.Generator().manual_seed(seed)))


def test_parameter_counts_are_those_of_the_description():
    """GRU(50 -> 150), a Gaussian of 150, attention, GRUCell(3 + 150 -> 150), MLP to 3; 165-82-41-20-1."""
    model = create_model("text2palette", {"vocabulary": "a b c"})
    w = 150
    gru = 3 * (50 * w + w * w + 2 * w)
    cell = 3 * ((3 + w) * w + w * w + 2 * w)
    attention = w * w + (w * w + w) + w
    mlp = (2 * w * w + w) + (w * 3 + 3)
    assert (
        sum(p.numel() for p in model.parameters())
        == gru + cell + attention + mlp + 2 * (w * w + w) + 5 * w + 3 * 50
    )
    critic = create_discriminator("palette_critic")
    assert sum(p.numel() for p in critic.parameters()) == 166 * 82 + 83 * 41 + 42 * 20 + 21


def test_a_palette_is_what_the_equations_say(model):
    """Of one text, step by step with plain products."""
    words, _ = model.read(["deep sea"])
    noise = torch.randn(1, 1, 2, 8)
    with torch.no_grad():
        x = model.fixed[[1, 3]] + model.offsets[[1, 3]]  # rows of "deep" and "sea"
        states, h = [], torch.zeros(8)
        for vector in x:
            h = gru(model.encoder, vector, h, suffix="_l0")
            states.append(h)
        gaussians = torch.stack(states) @ model.condition.weight.T + model.condition.bias
        mean, log_variance = gaussians[:, :8], gaussians[:, 8:]
        drawn = mean + noise[0, 0] * (log_variance / 2).exp()
        h, colour, colours = drawn.mean(0), torch.zeros(3), []
        for step in range(5):
            h = h + model.steps[step]
            against = model.attend_state.weight @ h + model.attend_state.bias
            scores = torch.stack(
                [model.attend.weight[0] @ torch.tanh(model.attend_words.weight @ d + against) for d in drawn]
            )
            context = (scores.exp() / scores.exp().sum()) @ drawn
            h = gru(model.decoder, torch.cat([colour, context]), h)
            hidden = (model.output[0].weight @ torch.cat([h, context]) + model.output[0].bias).clamp(min=0)
            colour = model.output[2].weight @ hidden + model.output[2].bias
            colours.append((colour + torch.tensor([0.5, 0, 0])) * torch.tensor([100.0, 200.0, 200.0]))
        palettes = model(words, noise)
    torch.testing.assert_close(palettes.colours[0, 0], torch.stack(colours), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(palettes.text[0, 0], drawn.mean(0))


def gru(layer, x, h, suffix=""):
    """One step of Cho et al. 2014 as torch writes it: reset, update, candidate."""
    wi, wh, bi, bh = (
        getattr(layer, name + suffix).detach() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    (xr, xz, xn), (hr, hz, hn) = (wi @ x + bi).chunk(3), (wh @ h + bh).chunk(3)
    reset, update = (xr + hr).sigmoid(), (xz + hz).sigmoid()
    candidate = torch.tanh(xn + reset * hn)
    return (1 - update) * candidate + update * h


@torch.no_grad()
def test_a_text_does_not_depend_on_the_others_of_its_batch(model):
    texts = ["sea", "autumn forest deep sea", "ocean"]
    words, _ = model.read(texts)
    noise = model.noise(words, 3, torch.Generator().manual_seed(0))
    together = model(words, noise).colours
    for index, text in enumerate(texts):
        alone, _ = model.read([text])
        cut = noise[index : index + 1, :, : len(text.split())]
        torch.testing.assert_close(model(alone, cut).colours[0], together[index], rtol=1e-5, atol=1e-4)


def test_words_outside_the_vocabulary_bring_their_installed_vector(model):
    words, left_out = model.read(["ocean deep ocean qqq"])
    assert words.rows.tolist() == [[-1, 1, -1]] and left_out == [["qqq"]]
    ocean = torch.from_numpy(vectors.open_vectors()["ocean"])
    torch.testing.assert_close(words.vectors[0], torch.stack([ocean, torch.zeros(50), ocean]))


def test_its_own_vocabulary_needs_no_package(model, monkeypatch):
    monkeypatch.setattr(vectors, "are_installed", lambda: False)
    monkeypatch.setattr(vectors, "open_vectors", lambda: pytest.fail("opened the vectors"))
    words, left_out = model.read(["deep seas, ocean"])
    assert words.rows.tolist() == [[1, 3]] and left_out == [["ocean"]]


def test_fixed_vectors_are_the_packages_and_offsets_are_dropped_in_training(model):
    found = vectors.open_vectors()
    torch.testing.assert_close(model.fixed[3], torch.from_numpy(found["sea"]))
    assert not model.fixed[4].any(), "zzqx has no vector"
    words, _ = model.read(["sea zzqx"])
    torch.manual_seed(0)
    embedded = torch.stack([model.train()._embed(words)[0] for _ in range(400)])
    plain = (embedded[:, 0] == model.fixed[3]).all(1)
    assert 0.4 < plain.float().mean() < 0.6
    assert (embedded[:, 1] == model.offsets[4]).all(), "all that there is of it stays"
    assert not (model.eval()._embed(words)[0, 0] == model.fixed[3]).all()


def test_samples_differ_and_follow_from_the_seed(model):
    one, same, other = draw(model, ["deep sea"]), draw(model, ["deep sea"]), draw(model, ["deep sea"], seed=1)
    assert torch.equal(one.colours, same.colours)
    assert not torch.equal(one.colours, other.colours)
    assert not torch.equal(one.colours[:, 0], one.colours[:, 1])


def test_every_parameter_learns_and_a_text_without_a_known_word_is_no_crash(model):
    guess = draw(model.train(), ["autumn forest", "qqq", "deep sea zzqx"])
    (guess.colours.square().mean() + guess.log_variance.mean()).backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]


def test_saved_and_loaded_it_draws_the_same_palettes(model, tmp_path):
    save_model(tmp_path / "m.safetensors", model, {})
    loaded = load_model(tmp_path / "m.safetensors")
    assert list(loaded.vocabulary) == WORDS.split()
    texts = ["deep sea", "autumn ocean"]
    assert torch.equal(draw(model, texts).colours, draw(loaded, texts).colours)


def test_it_does_not_pretend_to_colour_photographs(model):
    assert not model.contract.sees_pictures
    with pytest.raises(UserError, match="reads words and colours no photographs"):
        Predictor(model)
