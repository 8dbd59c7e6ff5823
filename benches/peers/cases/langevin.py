"""Annealed Langevin sampling of channels with the RefineNet as prior and the matched likelihood.

A state is a row of real numbers per frame and antenna. All that the likelihood does in a step, `U + step A^H C^-1 (Y - A U)`
with `C = noise_var I + sigma^2 A A^H`, is one product with a constant matrix plus a constant of the level, because A and
the levels are known beforehand.
"""

import torch

from .refinenet import RefineNet
from .training import load


def real(matrix, interleaved):
    """The real matrix that multiplies rows of real numbers as `matrix` multiplies complex rows.

    A row holds its real parts, then its imaginary parts; interleaved, the parts of each entry side by side.
    """
    re, im = matrix.real, matrix.imag
    # Dimensions: part and entry of the factor, part and entry of the product.
    blocks = torch.stack([torch.stack([re, im], 1), torch.stack([-im, re], 1)])
    if interleaved:
        blocks = blocks.permute(1, 0, 3, 2)
    return blocks.reshape(2 * re.shape[0], 2 * re.shape[1]).float()


class Schedule:
    """Constants of all levels, from an eigen-decomposition of `A A^H`; `A` holds the scaled pilots `[L, N]`."""

    def __init__(self, a, noise_var, sigmas, alpha_0, denoise, steps, interleaved):
        values, vectors = torch.linalg.eigh(a @ a.mH)
        identity = torch.eye(a.shape[1], dtype=a.dtype)
        drift, self.pull, self.scale, self.noise, self.steps = [], [], [], [], []

        def add(sigma, step, noise, count):
            filters = a.mH @ (vectors / (noise_var + sigma**2 * values)) @ vectors.mH
            drift.append(step * filters.T)
            self.pull.append(real(identity - step * (filters @ a).T, interleaved))
            # The network knows the noise of a real part, and its score is twice that of the complex entry.
            self.scale.append(torch.tensor(0.5 * step / (sigma * 0.5**0.5), dtype=torch.float32))
            self.noise.append(noise * 0.5**0.5)
            self.steps.append(count)

        for sigma in sigmas:
            step = alpha_0 * sigma**2
            add(sigma, step, (2 * step) ** 0.5, steps)
        if denoise:
            add(sigmas[-1], sigmas[-1] ** 2, 0.0, 1)
        self.drift = real(torch.cat(drift, 1), interleaved=True)


class Step(torch.nn.Module):
    """One step of the states `[F*M, 2N]`."""

    def __init__(self, net, shape, channels_last):
        super().__init__()
        self.net, self.shape, self.channels_last = net, shape, channels_last

    def forward(self, u, drive, pull, scale):
        f, m, n = self.shape
        if self.channels_last:
            score = self.net(u.view(f, m, n, 2).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        else:
            score = self.net(u.view(f, m, 2, n).transpose(1, 2).contiguous()).transpose(1, 2)
        return torch.addmm(drive, u, pull).addcmul(score.reshape(u.shape), scale)


class LangevinPeer:
    """Interleaved parts of the states are images in the memory format with the channels last: nothing is copied."""

    variants = ("contiguous", "channels-last", "contiguous-compile", "channels-last-compile")

    def __init__(self, inputs, variant):
        self.interleaved = variant.startswith("channels-last")
        get = lambda name: torch.from_numpy(inputs[name])
        number = lambda name: float(inputs[name])
        y, pilots, self.truth = get("y"), get("pilots"), get("channel")
        self.frames, length, self.antennas = y.shape
        self.devices = pilots.shape[1]
        self.rows = torch.view_as_real(y.transpose(1, 2).resolve_conj()).reshape(-1, 2 * length)
        self.sigmas = [float(s) for s in inputs["sigmas"]]
        self.root = number("beta") ** 0.5
        self.schedule = Schedule(
            self.root * pilots.to(torch.complex128), number("noise_var"), self.sigmas, number("alpha_0"),
            bool(number("denoise")), int(number("steps")), self.interleaved,
        )
        self.probe = get("probe_x"), get("probe_sigma")
        weights = {k: v for k, v in inputs.items() if k.startswith("param.")}
        self.net = RefineNet(weights, self.interleaved).eval().requires_grad_(False)
        load(self.net, inputs)
        step = Step(self.net, (self.frames, self.antennas, self.devices), self.interleaved)
        compiled = dict(fullgraph=True, dynamic=False, options={"freezing": True})
        self.step = torch.compile(step, **compiled) if variant.endswith("compile") else step

    @torch.inference_mode()
    def sample(self):
        """Last states as complex rows `[F, M, N]`."""
        s, width = self.schedule, 2 * self.devices
        drifts = (self.rows @ s.drift).view(self.rows.shape[0], -1, width)
        if not self.interleaved:
            drifts = drifts.unflatten(2, (-1, 2)).transpose(2, 3).flatten(2)
        u = torch.randn(self.rows.shape[0], width) * (self.sigmas[0] * 0.5**0.5)
        for i, count in enumerate(s.steps):
            drive = drifts[:, i].contiguous()
            if s.noise[i] > 0:
                drives = torch.randn(count, *u.shape).mul_(s.noise[i]).add_(drive).unbind()
            else:
                drives = [drive] * count
            for drive in drives:
                u = self.step(u, drive, s.pull[i], s.scale[i])
        parts = u.view(-1, self.devices, 2) if self.interleaved else u.view(-1, 2, self.devices).transpose(1, 2)
        x = torch.view_as_complex(parts.contiguous()).view(self.frames, self.antennas, self.devices)
        return x * self.root

    @torch.inference_mode()
    def outputs(self):
        x, sigma = self.probe
        error = (self.sample().transpose(1, 2) - self.truth).abs().square().sum()
        nmse = error / self.truth.abs().square().sum()
        return {"score": (self.net(x) / sigma).numpy(), "nmse": nmse.numpy()}

    def run(self):
        self.sample()


PEERS = {"langevin": LangevinPeer}
