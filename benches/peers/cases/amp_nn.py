"""AMP-NN: tied unfolded AMP with learned pilots and a prior per device, mean squared error of the rows."""

import numpy as np
import torch

from .amp import CLASSICAL, iteration, quarter_turns
from .stacked import StackedPeer, synthesis_matrix, tensor, unit_columns


class AmpNnPeer(StackedPeer):
    """50 iterations; `compile` compiles chunks of them, since one graph of all would take minutes."""

    ITERATIONS = 50
    CHUNK = 5

    def __init__(self, inputs: dict[str, np.ndarray], variant: str):
        super().__init__(inputs, variant)
        self.noise, self.beta, self.x = (tensor(inputs[name]) for name in ("noise", "beta", "x"))
        self.raw, self.theta_1 = self.parameter("pilots.raw"), self.parameter("theta_1")
        self.signs = quarter_turns(2 * self.x.shape[0] // self.beta.shape[0])
        self.scale = 1 / (self.beta.mean() * self.beta.numel())
        self.chunk = self.compile(self.several)

    def several(self, r, x, y, synthesis, analysis, theta_1, last):
        """Some iterations without Python between them."""
        parameters = CLASSICAL | {"theta_1": theta_1}
        state = (r, x)
        for t in range(self.CHUNK):
            end = last and t + 1 == self.CHUNK
            state, _ = iteration(state, y, self.beta, synthesis, analysis, parameters, 1, self.signs, end)
        return state

    def loss(self) -> torch.Tensor:
        """`sum |X - truth|^2/(F N beta)`."""
        synthesis = synthesis_matrix(unit_columns(self.raw))
        analysis = synthesis.T
        y = torch.addmm(self.noise, self.x, synthesis)
        r, x = y, None
        for first in range(0, self.ITERATIONS, self.CHUNK):
            last = first + self.CHUNK == self.ITERATIONS
            r, x = self.chunk(r, x, y, synthesis, analysis, self.theta_1, last)
        return (x - self.x).square().sum() * self.scale


PEERS = {"amp-nn-small": AmpNnPeer, "amp-nn-large": AmpNnPeer}
