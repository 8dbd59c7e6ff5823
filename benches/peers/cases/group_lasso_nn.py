"""GROUP LASSO-NN: unfolded sharing ADMM with learned pilots, lambda and rho; mean squared error of the rows."""

import numpy as np
import torch

from .stacked import StackedPeer, coordinates, row_energy, row_scale, synthesis_matrix, tensor, unit_columns

#: Rows of less energy count as zero.
TINY = 1e-30


class GroupLassoNnPeer(StackedPeer):
    """200 iterations on the rows scaled by their pilots' energies.

    With the average P, the dual C and `H = P + C`, the printed updates are `C' = (1 - rho w) H - w Y` and
    `gap = C - 2 C'`, where `w = 1/(rho + n)`.
    """

    ITERATIONS = 200
    CHUNK = 10

    def __init__(self, inputs: dict[str, np.ndarray], variant: str):
        super().__init__(inputs, variant)
        self.noise, self.beta, self.x = (tensor(inputs[name]) for name in ("noise", "beta", "x"))
        self.raw = self.parameter("pilots.raw")
        self.log_lambda, self.log_rho = self.parameter("lambda"), self.parameter("rho")
        self.scale = 1 / (self.beta.mean() * self.beta.numel())
        self.chunk = self.compile(self.several)

    def shrink(self, t, tau):
        """`(1 - tau/||t_k||)_+ t_k`."""
        frames = self.beta.shape[0]
        kept = (1 - tau * row_energy(t, frames).clamp_min(TINY).rsqrt()).relu()
        return (coordinates(t, frames) * kept[:, None]).view_as(t)

    def several(self, x, dual, gap, average, analysis, tau, hold, pull, count):
        """`count` iterations; `hold = 1 - rho w`, `pull = -w Y`."""
        for _ in range(count):
            t = gap @ analysis if x is None else torch.addmm(x, gap, analysis)
            x = self.shrink(t, tau)
            new = torch.addcmul(pull, torch.addmm(dual, x, average), hold)
            gap = torch.sub(dual, new, alpha=2)
            dual = new
        return x, dual, gap

    def loss(self) -> torch.Tensor:
        """`sum |X - truth|^2/(F N beta)`."""
        s = unit_columns(self.raw)
        devices = self.beta.shape[1]
        energies = s.square().sum(0, keepdim=True).clamp_min(1e-12)
        synthesis = synthesis_matrix(s)
        analysis, average = synthesis.T, synthesis_matrix(s / (energies * devices))
        y = torch.addmm(self.noise, self.x, synthesis)
        rho = self.log_rho.exp()
        tau = (self.log_lambda - self.log_rho).exp()
        weight = (rho + devices).reciprocal()
        hold, pull = 1 - rho * weight, -weight * y
        # The first iteration leaves X = 0 and C = -w Y; the last one needs its X alone.
        x, dual, gap = None, pull, pull * -2
        steps = self.ITERATIONS - 1
        for first in range(0, steps, self.CHUNK):
            count = min(self.CHUNK, steps - first)
            x, dual, gap = self.chunk(x, dual, gap, average, analysis, tau, hold, pull, count)
        x = row_scale(x, energies.reciprocal().expand_as(self.beta))
        return (x - self.x).square().sum() * self.scale


PEERS = {"gl-nn": GroupLassoNnPeer}
