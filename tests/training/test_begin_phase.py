"""What a network takes from photographs without gradients: asked for once a phase, kept, never repeated."""

import pytest
import torch

from gan_colorize.models.unet import UNet
from gan_colorize.training.loop import train
from gan_colorize.training.setup import prepare_data


def silent(*_):
    return None


def run(config, pictures, folder, resume=False, init=None):
    folder.mkdir(parents=True, exist_ok=True)
    data = prepare_data(config, [pictures], [], folder, silent, silent)
    return train(config, data, folder, "cpu", resume, init)


@pytest.fixture
def calls(monkeypatch):
    """Gives the U-Net a buffer and a fit that writes to it; the calls' arguments."""
    seen, original = [], UNet.__init__

    def init(self, options):
        original(self, options)
        self.register_buffer("mark", torch.zeros(()))

    def fit(self, pictures, seed):
        seen.append((pictures.clone(), seed))
        self.mark += 7.0
        return True

    monkeypatch.setattr(UNet, "__init__", init)
    monkeypatch.setattr(UNet, "fit", fit, raising=False)
    return seen


def mark(folder, part):
    return torch.load(folder / "last" / "state.pt", weights_only=True)[part]["mark"]


def test_fit_is_called_before_every_phase_that_trains_the_generator(config, pictures, tmp_path, calls):
    config.run.seed = 5
    run(config, pictures, tmp_path / "run")
    assert len(calls) == 2  # not for the discriminator's phase between them
    for crops, seed in calls:
        assert crops.shape == (256, 3, 64, 64) and crops.dtype == torch.uint8 and seed == 5
    assert not torch.equal(calls[0][0], calls[1][0])  # other crops: those that come next
    for part in ("generator", "average"):
        assert mark(tmp_path / "run", part) == 14.0


def test_a_run_that_goes_on_keeps_what_was_found(config, pictures, tmp_path, calls):
    phases = config.phases
    config.phases = phases[:1]
    run(config, pictures, tmp_path / "run")
    first = calls.pop()[0]
    config.phases[0].images *= 2
    run(config, pictures, tmp_path / "run", resume=True)
    assert not calls and mark(tmp_path / "run", "average") == 7.0
    run(config, pictures, tmp_path / "again")
    assert torch.equal(calls.pop()[0], first)


def test_weights_that_are_given_are_left_as_they_are(config, pictures, tmp_path, calls):
    config.phases = config.phases[:1]
    run(config, pictures, tmp_path / "one")
    calls.clear()
    run(config, pictures, tmp_path / "two", init=tmp_path / "one")
    assert not calls and mark(tmp_path / "two", "generator") == 7.0
