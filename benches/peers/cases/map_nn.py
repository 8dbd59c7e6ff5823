"""MAP-NN: unfolded coordinate descent with a prior per device, logits of the powers, three dense corrections."""

import math

import numpy as np
import torch

from .stacked import StackedPeer, cross_entropy, tensor

SWEEPS = 55


class MapNnPeer(StackedPeer):
    """55 sweeps over all devices, each step waiting for the one before it.

    Device n has `v = P a_n`, `e = a_n^H v`, `q = ||Y^H v||^2/M` and moves by `(2q/(e + sqrt(e^2 - 4 q l/M)) - 1)/e`
    inside [0, 1]. The root is that of a positive number as long as activity is less likely than not (l < 0), which is
    checked. Twice q is what the steps need: Y is scaled by `sqrt(2/M)`.

    `complex` has one batched complex matrix per frame; `compile` compiles steps on real planes with the frames last, so
    that every operation runs along frames (`planes` does the same without the compiler). Arithmetic is in double
    precision, as in the worker: in single precision, which the other two variants try for speed, the gradient of the
    prior is several per cent off after 5500 dependent steps.
    """

    variants = ("complex", "compile", "complex-single", "compile-single")
    CHUNK = 5

    def __init__(self, inputs: dict[str, np.ndarray], variant: str):
        super().__init__(inputs, variant)
        self.frames, self.devices = inputs["beta"].shape
        self.sent = tensor(inputs["sent"])
        self.theta_1 = self.parameter("theta_1")
        self.gain, self.centre = self.parameter("gain"), self.parameter("centre")
        dense = range(self.count("layers", "weight"))
        self.dense = [(self.parameter(f"layers.{i}.weight"), self.parameter(f"layers.{i}.bias")) for i in dense]
        pilots, beta, x, noise = (inputs[name].astype(np.float64) for name in ("pilots", "beta", "x", "noise"))
        y = x @ synthesis(pilots) + noise
        length = pilots.shape[0] // 2
        self.antennas = y.shape[0] // self.frames
        if (inputs["param." + self.name(self.theta_1)] <= 0).any():
            raise ValueError("a device that is likelier active than not")
        columns = (pilots[:length] + 1j * pilots[length:]) * np.sqrt(beta[0])
        y = y.reshape(self.frames, self.antennas, 2, length) * math.sqrt(2 / self.antennas)
        y = y[:, :, 0] + 1j * y[:, :, 1]
        self.real, self.complex = torch.float64, torch.complex128
        if variant.endswith("single"):
            self.real, self.complex = torch.float32, torch.complex64
        if variant.startswith("complex"):
            self.prepare_complex(columns, y)
            self.descend = self.descend_complex
        else:
            self.prepare_planes(columns, y)
            self.descend = self.descend_planes
            self.chunk = self.compile(self.several)

    def name(self, parameter: torch.Tensor) -> str:
        """Path of a parameter."""
        return next(name for name, p in self.parameters.items() if p is parameter)

    def prepare_complex(self, columns: np.ndarray, y: np.ndarray) -> None:
        """Columns `[N, L]`, and what multiplies v, `[N, F, 1 + M, L]`: adjoints of the column and the observations."""
        rows = np.broadcast_to(columns.T[:, None, None], (self.devices, self.frames, 1, columns.shape[0]))
        tests = np.concatenate([rows, np.broadcast_to(y, (self.devices, *y.shape))], 2).conj()
        self.columns = torch.tensor(columns.T, dtype=self.complex).unbind(0)
        self.tests = torch.tensor(tests, dtype=self.complex).unbind(0)
        self.start = torch.eye(columns.shape[0], dtype=self.complex).repeat(self.frames, 1, 1)

    def descend_complex(self, odds: torch.Tensor) -> torch.Tensor:
        """Powers `[F, N]`; `odds [N]` is `-2 l/M`."""
        frames, length = self.frames, self.start.shape[1]
        p = self.start
        alphas = [torch.zeros(frames, dtype=self.real)] * self.devices
        odds = odds.unbind(0)
        for _ in range(SWEEPS):
            for n, (a, tests) in enumerate(zip(self.columns, self.tests)):
                v = torch.mv(p.view(frames * length, length), a).view(frames, length, 1)
                found = torch.view_as_real(torch.bmm(tests, v))
                energy = found[:, 0, 0, 0]
                load = found[:, 1:].square().sum((1, 2, 3))
                root = torch.addcmul(load * odds[n], energy, energy).sqrt()
                new = (alphas[n] + (load / (energy + root) - 1) / energy).clamp(0, 1)
                d = new - alphas[n]
                alphas[n] = new
                scaled = v * (d / (1 + d * energy))[:, None, None]
                p = torch.baddbmm(p, scaled, v.mH, alpha=-1)
        return torch.stack(alphas, 1)

    def prepare_planes(self, columns: np.ndarray, y: np.ndarray) -> None:
        """`A_n [2, 2L]` takes P (rows j in two planes) to v in two planes; `[2M, 2L, F]` takes v to `Y^H v`."""
        re, im = columns.real.T, columns.imag.T
        forward = np.stack([np.concatenate([re, -im], 1), np.concatenate([im, re], 1)], 1)
        energy = np.concatenate([re, im], 1)[:, :, None].repeat(self.frames, 2)
        yr, yi = y.real.transpose(1, 2, 0), y.imag.transpose(1, 2, 0)
        observed = np.concatenate([np.concatenate([yr, yi], 1), np.concatenate([-yi, yr], 1)], 0)
        self.forward = torch.tensor(forward, dtype=self.real)
        self.energy = torch.tensor(energy, dtype=self.real)
        self.observed = torch.tensor(observed, dtype=self.real)
        length = re.shape[1]
        eye = torch.stack([torch.eye(length), torch.zeros(length, length)]).to(self.real)
        self.start = eye[..., None].repeat(1, 1, 1, self.frames)
        self.signs = torch.tensor([1.0, -1.0], dtype=self.real)[:, None, None]

    def several(self, p, alphas, odds, forward, energies):
        """Steps of some devices: `p [2, L, L, F]` holds P_ij at (plane, j, i), `alphas [count, F]`."""
        length, frames = p.shape[1], p.shape[3]
        out = []
        for n in range(alphas.shape[0]):
            if self.compiled:
                # As a sum the product joins the loops around it.
                v = (forward[n].view(2, 2 * length, 1, 1) * p.view(1, 2 * length, length, frames)).sum(1)
            else:
                v = (forward[n] @ p.view(2 * length, -1)).view(2, length, frames)
            flat = v.view(2 * length, frames)
            energy = (energies[n] * flat).sum(0)
            load = (self.observed * flat).sum(1).square().sum(0)
            root = (energy * energy + load * odds[n]).sqrt()
            new = (alphas[n] + (load / (energy + root) - 1) / energy).clamp(0, 1)
            d = new - alphas[n]
            out.append(new)
            scaled = v * (d / (1 + d * energy))
            turned = scaled.flip(0) * self.signs
            p = torch.addcmul(p, v[0][None, :, None], scaled[:, None], value=-1)
            p = torch.addcmul(p, v[1][None, :, None], turned[:, None], value=-1)
        return p, torch.stack(out)

    def descend_planes(self, odds: torch.Tensor) -> torch.Tensor:
        """Powers `[F, N]`; `odds [N]` is `-2 l/M`."""
        p = self.start
        parts = [t.split(self.CHUNK) for t in (odds, self.forward, self.energy)]
        alphas = list(torch.zeros(self.devices, self.frames, dtype=self.real).split(self.CHUNK))
        for _ in range(SWEEPS):
            for i, (odds, forward, energies) in enumerate(zip(*parts)):
                p, alphas[i] = self.chunk(p, alphas[i], odds, forward, energies)
        return torch.cat(alphas).T

    def loss(self) -> torch.Tensor:
        """Mean cross-entropy of the corrected logits."""
        power = self.descend(self.theta_1[0].to(self.real) * (2 / self.antennas)).float()
        logits = (power - self.centre) * self.gain.exp()
        hidden = logits.sigmoid().T
        for i, (weight, bias) in enumerate(self.dense):
            hidden = torch.addmm(bias, weight, hidden)
            hidden = hidden.relu() if i + 1 < len(self.dense) else hidden
        return cross_entropy(logits + hidden.T, self.sent, 1).mean()


def synthesis(s: np.ndarray) -> np.ndarray:
    """`stacked.synthesis_matrix` of an array."""
    re, im = s[: s.shape[0] // 2].T, s[s.shape[0] // 2 :].T
    return np.block([[re, im], [-im, re]])


PEERS = {"map-nn": MapNnPeer}
