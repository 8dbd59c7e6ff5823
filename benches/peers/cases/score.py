"""Denoising score matching of the RefineNet."""

import torch

from .refinenet import RefineNet
from .training import ModulePeer


class DenoisingLoss(RefineNet):
    """`||sigma s(x + sigma z, sigma) + z||^2/2`, mean over batch and pixels."""

    def forward(self, x, z, sigma):
        score = super().forward(x + z * sigma) / sigma
        return (score * sigma + z).square().mean() * 0.5


class ScorePeer(ModulePeer):
    """Two memory formats, each run by the interpreter and compiled."""

    variants = ("contiguous", "channels-last", "contiguous-compile", "channels-last-compile")

    def __init__(self, inputs, variant):
        channels_last = variant.startswith("channels-last")
        weights = {k: v for k, v in inputs.items() if k.startswith("param.")}
        layout = torch.channels_last if channels_last else torch.contiguous_format
        batch = [torch.from_numpy(inputs[k]) for k in ("x", "z", "sigma")]
        batch = [t.contiguous(memory_format=layout) for t in batch]
        module = DenoisingLoss(weights, channels_last)
        super().__init__(module, batch, inputs, variant.endswith("compile"))


PEERS = {"score": ScorePeer}
