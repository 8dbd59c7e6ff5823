"""DL-mAMPnet in its two forms, joint phase: cross-entropy of the output plus a tenth of that of every layer."""

import numpy as np
import torch

from .amp import iteration, quarter_turns
from .stacked import (
    StackedPeer,
    coordinates,
    cross_entropy,
    residual_power,
    synthesis_matrix,
    tensor,
)

AUXILIARY = 0.1


class MampPeer(StackedPeer):
    """The batch with given pilots: their matrix and the frames are constants."""

    def __init__(self, inputs: dict[str, np.ndarray], variant: str):
        super().__init__(inputs, variant)
        self.beta, self.sent = tensor(inputs["beta"]), tensor(inputs["sent"])
        self.sequences = int(inputs["sequences"])
        self.synthesis = synthesis_matrix(tensor(inputs["pilots"]))
        self.y = tensor(inputs["y"])
        self.frames = self.beta.shape[0]
        self.antennas = self.y.shape[0] // self.frames
        self.compute = self.compile(self.graph)

    def entropies(self, logits: list[torch.Tensor]) -> torch.Tensor:
        """Mean cross-entropy of each layer's logits."""
        return cross_entropy(torch.stack(logits), self.sent, self.sequences).mean((1, 2))

    def loss(self) -> torch.Tensor:
        """The joint loss."""
        return self.compute(*self.arguments)


class SharedPeer(MampPeer):
    """Antenna-shared AMP layers with the posterior over the sequences of a device."""

    def __init__(self, inputs: dict[str, np.ndarray], variant: str):
        super().__init__(inputs, variant)
        names = ("b", "v", "theta_1", "theta_2", "tau", "onsager")
        layers = [{n: self.parameter(f"layers.{t}.{n}") for n in names} for t in range(self.count("layers", "b"))]
        self.signs = quarter_turns(2 * self.antennas)
        self.arguments = (layers,)

    def graph(self, layers):
        state, logits = (self.y, None), []
        for t, layer in enumerate(layers):
            analysis = synthesis_matrix(layer["b"]).T
            last = t + 1 == len(layers)
            state, found = iteration(
                state, self.y, self.beta, self.synthesis, analysis, layer, self.sequences, self.signs, last
            )
            logits.append(found)
        entropies = self.entropies(logits)
        return entropies[-1] + AUXILIARY * entropies[:-1].mean()


class PaperPeer(MampPeer):
    """Dense real matrices over all antennas, the entry-wise denoiser, and the refinement module."""

    REFINEMENT = (
        "conv", "conv_bias", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "hard_in.weight", "hard_in.bias",
        "hard_out.weight", "hard_out.bias", "fc3", "fc3_bias", "rho",
    )

    def __init__(self, inputs: dict[str, np.ndarray], variant: str):
        super().__init__(inputs, variant)
        names = ("b", "v", "theta_1", "theta_2")
        layers = [{n: self.parameter(f"layers.{t}.{n}") for n in names} for t in range(self.count("layers", "b"))]
        self.arguments = (layers, {n: self.parameter(f"refinement.{n}") for n in self.REFINEMENT})

    def layer(self, r, x, p):
        """(44)-(48): the new residual and estimate, and logits by the row energies of the pseudo-observation."""
        frames, antennas = self.frames, self.antennas
        mapped = (r.view(frames, -1) @ p["b"]).view(r.shape[0], -1)
        z = mapped if x is None else x + mapped
        tau2 = residual_power(r, frames)
        power = self.beta * p["theta_2"].exp()
        ratio = power / tau2
        omega = power / (power + tau2)
        square = coordinates(z, frames).square()
        # a z^2 with a = omega/(2 tau2/2): variances of a real entry are half those of a complex one.
        exponent = square * (omega / tau2)[:, None]
        phi = torch.sigmoid(exponent - (0.5 * ratio.log1p() + p["theta_1"])[:, None])
        shrink = phi * omega[:, None]
        derivative = shrink * (2 * exponent * (1 - phi) + 1)
        x = (shrink * coordinates(z, frames)).view_as(z) * p["v"]
        mean = derivative.sum((1, 2)) / (r.shape[1] * antennas)
        correction = (r.view(frames, -1) * (mean[:, None] * p["v"])).view_as(r)
        r = torch.addmm(self.y, x, self.synthesis, alpha=-1) + correction
        llr = (omega / tau2) * square.sum(1) - ratio.log1p() * antennas
        return r, x, llr - p["theta_1"]

    def refine(self, x, tau2, p):
        """(49)-(55): activity estimates `[F, K]`."""
        (frames, k), q = self.beta.shape, self.sequences
        modulus = (x.view(frames, self.antennas, 2, k).square().sum(2) + 1e-12).sqrt()
        u = (modulus * p["conv"].view(1, -1, 1)).sum(1) / (self.beta + 1e-12).sqrt() + p["conv_bias"]
        pooled = u.abs().view(frames, -1, q).mean(2)
        hidden = torch.addmm(p["fc1.bias"], pooled, p["fc1.weight"]).relu()
        threshold = torch.addmm(p["fc2.bias"], hidden, p["fc2.weight"]).sigmoid() * pooled
        soft = (u.view(frames, -1, q) - threshold[:, :, None]).relu()
        unpooled = soft * (soft.detach() >= soft.detach().amax(2, keepdim=True))
        ln_power = self.beta.view(frames, -1, q)[:, :, :1].log()
        features = 0.1 * torch.cat([ln_power, tau2.log()[:, :, None].expand_as(ln_power)], 2)
        hidden = (features @ p["hard_in.weight"] + p["hard_in.bias"]).relu()
        gate = ((unpooled - (hidden @ p["hard_out.weight"] + p["hard_out.bias"])) * 4).sigmoid()
        gate = gate + ((gate.detach() >= 0.5).float() - gate.detach())
        mixed = torch.addmm(p["fc3_bias"], (unpooled * gate).view(frames, k), p["fc3"])
        return (mixed * p["rho"]).tanh().relu()

    def graph(self, layers, refinement):
        r, x, logits = self.y, None, []
        for p in layers:
            r, x, found = self.layer(r, x, p)
            logits.append(found)
        alpha = self.refine(x, residual_power(r.detach(), self.frames), refinement).clamp(1e-6, 1 - 1e-6)
        main = -(self.sent * alpha.log() + (1 - self.sent) * (1 - alpha).log()).mean()
        return main + AUXILIARY * self.entropies(logits).mean()


PEERS = {"mampnet-shared": SharedPeer, "mampnet-paper": PaperPeer}
