"""What the peers of the access cases share: stacked layouts, rows over antennas, losses, one training step.

A complex batch of F frames and M antennas is a real matrix `[F*M, 2K]`: row `f*M + m` holds K real parts, then K
imaginary parts. Seen as `[F, 2M, K]` (a view) its rows are the real coordinates of the antennas, which turns sums over
antennas into one reduction and Jacobians over antennas into one batched product.
"""

import numpy as np
import torch

RATE = 1e-4
BOUND = 16.0


def tensor(array: np.ndarray) -> torch.Tensor:
    """A tensor of its own in single precision."""
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.float32)


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


class TrainingPeer:
    """A training step on one batch: loss, backward pass, Adam. `loss` is the subclass's; it may compile its parts."""

    variants = ("eager", "compile")

    def __init__(self, inputs: dict[str, np.ndarray], variant: str):
        self.inputs = inputs
        self.compiled = variant.startswith("compile")
        names = [name for name in inputs if name.startswith("param.")]
        self.parameters = {name[len("param."):]: tensor(inputs[name]).requires_grad_() for name in names}
        self.optimizer = torch.optim.Adam(self.parameters.values(), lr=RATE, betas=(0.9, 0.999), eps=1e-8, fused=True)

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

    def loss(self) -> torch.Tensor:
        """The loss of the batch."""
        raise NotImplementedError

    def outputs(self) -> dict[str, np.ndarray]:
        """Loss and gradients at the initial parameters, which this restores."""
        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(torch.from_numpy(self.inputs[f"param.{name}"]))
                p.grad = None
        loss = self.loss()
        loss.backward()
        found = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in self.parameters.items()}
        return {"loss": loss.detach().reshape(1).numpy()} | {f"grad.{n}": g.numpy().copy() for n, g in found.items()}

    def run(self) -> None:
        """One training step."""
        self.optimizer.zero_grad(set_to_none=True)
        self.loss().backward()
        self.optimizer.step()
