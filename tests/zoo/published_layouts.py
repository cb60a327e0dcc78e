"""The published state dicts, written down from their description and run without the package's networks."""

import torch
import torch.nn.functional as F

# A layer a line: name, then a convolution's outputs, inputs and kernel; "up" for a transposed one (its weight
# has inputs first); "norm" and channels; "bare" for one without bias. What BatchNorm keeps is added to norms.
_TRUNK = """
model1.2 64 64 3, model1.4 norm 64,
model2.0 128 64 3, model2.2 128 128 3, model2.4 norm 128,
model3.0 256 128 3, model3.2 256 256 3, model3.4 256 256 3, model3.6 norm 256,
model4.0 512 256 3, model4.2 512 512 3, model4.4 512 512 3, model4.6 norm 512,
model5.0 512 512 3, model5.2 512 512 3, model5.4 512 512 3, model5.6 norm 512,
model6.0 512 512 3, model6.2 512 512 3, model6.4 512 512 3, model6.6 norm 512,
model7.0 512 512 3, model7.2 512 512 3, model7.4 512 512 3, model7.6 norm 512
"""
LAYOUTS = {
    "cic": f"""
model1.0 64 1 3, {_TRUNK},
model8.0 up 256 512 4, model8.2 256 256 3, model8.4 256 256 3, model8.6 313 256 1,
model_out bare 2 313 1
""",
    "user_guided": f"""
model1.0 64 4 3, {_TRUNK},
model8up.0 up 256 512 4, model3short8.0 256 256 3, model8.1 256 256 3, model8.3 256 256 3, model8.5 norm 256,
model9up.0 up 128 256 4, model2short9.0 128 128 3, model9.1 128 128 3, model9.3 norm 128,
model10up.0 up 128 128 4, model1short10.0 128 64 3, model10.1 128 128 3,
model_class.0 529 256 1, model_out.0 2 128 1
""",
}


def random_state(name, seed=0):
    """A state dict with the published names and shapes; signals keep their strength through it."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for line in LAYOUTS[name].replace("\n", " ").split(","):
        layer, *numbers = line.split()
        kind = numbers.pop(0) if not numbers[0].isdigit() else ""
        outputs, *rest = map(int, numbers)
        if kind == "norm":
            for key, low, high in (
                ("weight", 0.5, 1.5),
                ("bias", -0.5, 0.5),
                ("running_mean", -0.5, 0.5),
                ("running_var", 0.5, 1.5),
            ):
                state[f"{layer}.{key}"] = torch.empty(outputs).uniform_(low, high, generator=generator)
            state[f"{layer}.num_batches_tracked"] = torch.tensor(7)
            continue
        inputs, kernel = rest
        shape = (inputs, outputs, kernel, kernel) if kind == "up" else (outputs, inputs, kernel, kernel)
        strength = (2.0 / (inputs * kernel**2 / (4 if kind == "up" else 1))) ** 0.5
        state[f"{layer}.weight"] = strength * torch.randn(shape, generator=generator)
        if kind != "bare":
            state[f"{layer}.bias"] = 0.1 * torch.randn(outputs, generator=generator)
    return state


class Layers:
    """The layers of a state dict, by name, in torch.nn.functional."""

    def __init__(self, state):
        self.state = state

    def conv(self, x, name, stride=1, dilation=1):
        weight = self.state[f"{name}.weight"]
        padding = dilation * (weight.shape[-1] // 2)
        return F.conv2d(x, weight, self.state.get(f"{name}.bias"), stride, padding, dilation)

    def up(self, x, name):
        return F.conv_transpose2d(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"], 2, 1)

    def norm(self, x, name):
        keys = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(self.state[f"{name}.{key}"] for key in keys))

    def block(self, x, name, places, norm, stride=1, dilation=1):
        """A convolution and a ReLU at each of these places, the last one with the stride; the norm."""
        for place in places:
            step = stride if place == places[-1] else 1
            x = F.relu(self.conv(x, f"{name}.{place}", step, dilation))
        return self.norm(x, f"{name}.{norm}")


def run_cic(state, lightness):
    """L 0..100 -> logits at a quarter of the size, and ab at that size as the release decodes it."""
    layers = Layers(state)
    x = layers.block((lightness - 50) / 100, "model1", (0, 2), 4, stride=2)
    x = layers.block(x, "model2", (0, 2), 4, stride=2)
    x = layers.block(x, "model3", (0, 2, 4), 6, stride=2)
    x = layers.block(x, "model4", (0, 2, 4), 6)
    x = layers.block(x, "model5", (0, 2, 4), 6, dilation=2)
    x = layers.block(x, "model6", (0, 2, 4), 6, dilation=2)
    x = layers.block(x, "model7", (0, 2, 4), 6)
    x = F.relu(layers.up(x, "model8.0"))
    x = F.relu(layers.conv(x, "model8.2"))
    x = F.relu(layers.conv(x, "model8.4"))
    logits = layers.conv(x, "model8.6")
    return logits, 110 * layers.conv(logits.softmax(1), "model_out")


def run_user_guided(state, lightness, hints, mask):
    """L, hinted ab and their mask -> ab at full size, class logits at a quarter of it."""
    layers = Layers(state)
    one = layers.block(torch.cat([(lightness - 50) / 100, hints / 110, mask], 1), "model1", (0, 2), 4)
    two = layers.block(one[..., ::2, ::2], "model2", (0, 2), 4)
    three = layers.block(two[..., ::2, ::2], "model3", (0, 2, 4), 6)
    x = layers.block(three[..., ::2, ::2], "model4", (0, 2, 4), 6)
    x = layers.block(x, "model5", (0, 2, 4), 6, dilation=2)
    x = layers.block(x, "model6", (0, 2, 4), 6, dilation=2)
    x = layers.block(x, "model7", (0, 2, 4), 6)
    x = F.relu(layers.up(x, "model8up.0") + layers.conv(three, "model3short8.0"))
    eight = layers.block(x, "model8", (1, 3), 5)
    x = F.relu(layers.up(eight, "model9up.0") + layers.conv(two, "model2short9.0"))
    x = layers.block(x, "model9", (1,), 3)
    x = F.relu(layers.up(x, "model10up.0") + layers.conv(one, "model1short10.0"))
    x = F.leaky_relu(layers.conv(x, "model10.1"), 0.2)
    return 110 * torch.tanh(layers.conv(x, "model_out.0")), layers.conv(eight, "model_class.0")
