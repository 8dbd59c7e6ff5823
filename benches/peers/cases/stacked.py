"""What the peers of the access cases share: stacked layouts, rows over antennas, losses, parameters by name.

A complex batch of F frames and M antennas is a real matrix `[F*M, 2K]`: row `f*M + m` holds K real parts, then K
imaginary parts. Seen as `[F, 2M, K]` (a view) its rows are the real coordinates of the antennas, which turns sums over
antennas into one reduction and Jacobians over antennas into one batched product.
"""

import contextlib

import numpy as np
import torch

from .training import PREFIX, TrainingPeer

BOUND = 16.0


def tensor(array: np.ndarray) -> torch.Tensor:
    """A tensor of its own in single precision, or in that of `exactly`."""
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.get_default_dtype())


@contextlib.contextmanager
def exactly():
    """Peers that are made in here work in double precision."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def synthesis_matrix(s: torch.Tensor) -> torch.Tensor:
    """Pilots `[2L, K]` to the matrix `[2K, 2L]` that takes stacked rows of X to stacked rows of S X."""
    length = s.shape[0] // 2
    re, im = s[:length].T, s[length:].T
    return torch.cat([torch.cat([re, im], 1), torch.cat([-im, re], 1)], 0)


def unit_columns(raw: torch.Tensor) -> torch.Tensor:
    """Columns of `[2L, K]` divided by their norms."""
    return raw / (raw.square().sum(0, keepdim=True) + 1e-12).sqrt()


def coordinates(z: torch.Tensor, frames: int) -> torch.Tensor:
    """`[F*M, 2K]` seen as `[F, 2M, K]`."""
    return z.view(frames, -1, z.shape[1] // 2)


def row_energy(z: torch.Tensor, frames: int) -> torch.Tensor:
    """Squared norms of the rows of X over the antennas, `[F, K]`."""
    return coordinates(z, frames).square().sum(1)


def row_scale(z: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Multiplies row k of frame f by `weight [F, K]`."""
    return (coordinates(z, weight.shape[0]) * weight[:, None]).view_as(z)


def residual_power(r: torch.Tensor, frames: int) -> torch.Tensor:
    """`||R||^2/(L M)` of every frame, `[F, 1]`."""
    flat = r.view(frames, -1)
    return flat.square().sum(1, keepdim=True) * (2 / flat.shape[1])


def cross_entropy(logits: torch.Tensor, sent: torch.Tensor, section: int) -> torch.Tensor:
    """`-ln P(truth)` of every device, its logits (against idle) bounded by `16 tanh(logit/16)`; `[..., N]`."""
    logits = (logits / BOUND).tanh() * BOUND
    shape = (*logits.shape[:-1], -1, section)
    picked = (logits * sent).view(shape).sum(-1)
    logits = logits.view(shape)
    top = logits.detach().amax(-1, keepdim=True).clamp_min(0)
    total = (logits - top).exp().sum(-1) + (-top).exp().squeeze(-1)
    return total.log() + (top.squeeze(-1) - picked)


class StackedPeer(TrainingPeer):
    """A training step whose parameters are found by the end of their path; the subclass may compile parts of its loss."""

    variants = ("eager", "compile")

    def __init__(self, inputs: dict[str, np.ndarray], variant: str):
        names = [name for name in inputs if name.startswith(PREFIX)]
        super().__init__({n.removeprefix(PREFIX): tensor(inputs[n]).requires_grad_() for n in names}, inputs)
        self.compiled = variant.startswith("compile")

    def find(self, suffix: str) -> torch.Tensor | None:
        """The parameter whose path ends in these components, if there is exactly one."""
        found = [p for name, p in self.parameters.items() if f".{name}".endswith(f".{suffix}")]
        if len(found) > 1:
            raise KeyError(f"several parameters end in {suffix}")
        return found[0] if found else None

    def parameter(self, suffix: str) -> torch.Tensor:
        """The parameter whose path ends in these components."""
        found = self.find(suffix)
        if found is None:
            raise KeyError(f"no parameter ends in {suffix}; there are {sorted(self.parameters)}")
        return found

    def count(self, stem: str, suffix: str) -> int:
        """How many layers `stem.0.suffix`, `stem.1.suffix`, ... there are."""
        number = 0
        while self.find(f"{stem}.{number}.{suffix}") is not None:
            number += 1
        return number

    def compile(self, function):
        """The function, compiled in the variant that compiles."""
        return torch.compile(function, fullgraph=True, dynamic=False) if self.compiled else function
