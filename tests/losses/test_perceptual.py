"""LPIPS as a term, on torchvision's AlexNet."""

import torch

from gan_colorize.losses.perceptual import PerceptualLoss


def test_zero_at_the_truth_and_a_gradient_elsewhere(shared, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(shared / "weights" / "torch_home"))
    loss = PerceptualLoss()
    lightness = torch.full((1, 1, 64, 64), 60.0)
    truth = torch.zeros(1, 2, 64, 64)
    truth[:, 0, :32] = 40.0
    ab = torch.zeros(1, 2, 64, 64, requires_grad=True)
    assert loss(lightness, truth, truth).item() < 1e-6
    far, near = loss(lightness, ab, truth), loss(lightness, truth * 0.5, truth)
    assert far.item() > near.item() > 0
    far.sum().backward()
    assert ab.grad.abs().sum() > 0 and ab.grad.isfinite().all()
    assert not any(p.requires_grad for p in loss.parameters())
