"""SICNN: one MLP per user, whose estimate is re-spread through its channel and subtracted (successive cancellation).

Two layouts of the batch: the frame last, where a layer is `W x + b`, and the frame first, the habit of PyTorch.
"""

import torch
from torch import nn

from .training import ModulePeer


def product(a, b):
    """Real and imaginary parts of a complex product."""
    (ar, ai), (br, bi) = a, b
    return ar * br - ai * bi, ar * bi + ai * br


class Columns(nn.Linear):
    """`W x + b` of `x [in, F]`."""

    def forward(self, x):
        return torch.addmm(self.bias[:, None], self.weight, x)


class Stage(nn.Module):
    """The MLP of one user: ReLU between the layers, the last one linear."""

    def __init__(self, widths, layer):
        super().__init__()
        self.layers = nn.ModuleList(layer(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = layer(x).relu_()
        return self.layers[-1](x)


class Sicnn(nn.Module):
    """Mean squared error of the symbols (all weights one) of a batch of draws, observed with the given signatures.

    Draws have the frame last: `h [N, H, F]`, `noise [2H, F]`, `x [N, F]`; or first, each shape with F in front.
    """

    def __init__(self, signatures, widths, frame_last):
        super().__init__()
        self.users, self.frame_last = signatures.shape[1], frame_last
        self.stages = nn.ModuleList(Stage(widths, Columns if frame_last else nn.Linear) for _ in range(self.users))
        shape = (self.users, -1, 1) if frame_last else (self.users, -1)
        for part, name in zip(signatures.chunk(2), ("s_re", "s_im")):
            self.register_buffer(name, part.T.reshape(shape).contiguous())

    def forward(self, h_re, h_im, noise, x_re, x_im):
        user, feature = (0, 0) if self.frame_last else (1, 1)
        g = product((h_re, h_im), (self.s_re, self.s_im))
        sent = product(g, (x_re.unsqueeze(user + 1), x_im.unsqueeze(user + 1)))
        y = torch.cat(sent, user + 1).sum(user) + noise
        channel = [h.flatten(user, user + 1) for h in (h_re, h_im)]
        left, errors = y, 0.0
        for n, stage in enumerate(self.stages):
            estimate = stage(torch.cat([left, y, *channel], feature)).split(1, feature)
            if n + 1 < self.users:
                left = left - torch.cat(product([part.select(user, n) for part in g], estimate), feature)
            for part, x in zip(estimate, (x_re, x_im)):
                errors = errors + (part.squeeze(feature) - x.select(user, n)).square().mean()
        return errors / self.users


class SicnnPeer(ModulePeer):
    """Weights 1, fairness 0."""

    variants = ("frame-last", "frame-first", "frame-last-compile", "frame-first-compile")

    def __init__(self, inputs, variant):
        frame_last = variant.startswith("frame-last")
        batch = [torch.from_numpy(inputs[name]) for name in ("h_re", "h_im", "noise", "x_re", "x_im")]
        if not frame_last:
            batch = [t.movedim(-1, 0).contiguous() for t in batch]
        first_stage = {k.split("stages.0.")[1]: v for k, v in inputs.items() if "stages.0." in k}
        weights = [first_stage[f"layers.{i}.weight"] for i in range(len(first_stage) // 2)]
        widths = [weights[0].shape[1], *(w.shape[0] for w in weights)]
        module = Sicnn(torch.from_numpy(inputs["signatures"]), widths, frame_last)
        super().__init__(module, batch, inputs, variant.endswith("compile"))


PEERS = {"sicnn": SicnnPeer}
