"""AMP: the differentiable iteration that networks unfold, and the classical detector."""

import numpy as np
import torch

from .stacked import coordinates, residual_power, row_scale, synthesis_matrix, tensor


def section_posterior(logits: torch.Tensor, section: int) -> torch.Tensor:
    """Softmax over the sequences of a device and the idle state, whose logit is 0; `[F, K]`."""
    if section == 1:
        return torch.sigmoid(logits)
    parts = logits.view(logits.shape[0], -1, section)
    top = parts.detach().amax(2, keepdim=True).clamp_min(0)
    weights = (parts - top).exp()
    return (weights / (weights.sum(2, keepdim=True) + (-top).exp())).view_as(logits)


def quarter_turns(size: int) -> torch.Tensor:
    """Signs `[2M, 2M]` that make `G + signs * swap(G)` the real form of a complex matrix; see `onsager`."""
    return torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(size // 2, size // 2)


def swap(g: torch.Tensor) -> torch.Tensor:
    """Exchanges real and imaginary coordinates on both sides of `[F, 2M, 2M]`."""
    frames, size, _ = g.shape
    return g.view(frames, size // 2, 2, size // 2, 2).flip(2, 4).view_as(g)


def onsager(z: torch.Tensor, curvature: torch.Tensor, trace: torch.Tensor, r: torch.Tensor, signs) -> torch.Tensor:
    """`(sum_k c_k z_k z_k^H + trace I) r` on real coordinates: `z [F, 2M, K]`, `r [F, 2M, L]`.

    `G = sum_k c_k z_k z_k^T` over real coordinates; a quarter turn on both sides adds what makes it the real form of
    the complex Jacobian.
    """
    g = torch.bmm(z * curvature[:, None], z.mT)
    return torch.bmm(g + swap(g) * signs, r) + trace * r


def denoise(z, r, beta, parameters, section, signs):
    """Posterior shrink of `z [F*M, 2K]` at the noise that the residual shows, and the posterior logits `[F, K]`.

    The third result is a function that computes the Onsager product: the last iteration does not need it.
    """
    frames = beta.shape[0]
    antennas = z.shape[0] // frames
    tau2 = residual_power(r, frames)
    if parameters["tau"] is not None:
        tau2 = tau2 * parameters["tau"].exp()
        beta = beta * parameters["theta_2"].exp()
    planes = coordinates(z, frames)
    omega = beta / (beta + tau2)
    slope = omega / tau2
    llr = slope * planes.square().sum(1) - (beta / tau2).log1p() * antennas
    logits = llr - parameters["theta_1"]
    posterior = section_posterior(logits, section)
    weight = posterior * omega
    if parameters["v"] is not None:
        weight = weight * parameters["v"]

    def product():
        curvature = weight * slope * (1 - posterior)
        trace = weight.sum(1)[:, None, None]
        return onsager(planes, curvature, trace, coordinates(r, frames), signs).view_as(r)

    return row_scale(z, weight), logits, product


def iteration(state, y, beta, synthesis, analysis, parameters, section, signs, last):
    """One iteration: state `(R, X or None)` to the next one and the logits; `last` leaves out the next residual."""
    r, x = state
    z = r @ analysis if x is None else torch.addmm(x, r, analysis)
    x, logits, product = denoise(z, r, beta, parameters, section, signs)
    if last:
        return (None, x), logits
    factor = 2 / y.shape[1]
    if parameters["onsager"] is not None:
        factor = parameters["onsager"] * factor
    return (torch.addmm(y, x, synthesis, alpha=-1) + product() * factor, x), logits


#: The classical iteration: nothing but the prior has a parameter.
CLASSICAL = {"v": None, "theta_2": None, "tau": None, "onsager": None}


class AmpPeer:
    """Theorem 1 with the matrix Onsager term in single precision.

    `eager` works on buffers in place; `complex` on complex tensors; `compile` compiles chunks of iterations.
    """

    variants = ("eager", "complex", "compile")
    CHUNK = 10

    def __init__(self, inputs: dict[str, np.ndarray], variant: str):
        self.variant = variant
        self.beta = tensor(inputs["beta"])
        self.iterations = int(inputs["iterations"])
        self.log_odds = float(inputs["log_odds"])
        self.frames = self.beta.shape[0]
        self.y = tensor(inputs["y"])
        self.antennas = self.y.shape[0] // self.frames
        s = tensor(inputs["pilots"])
        length = s.shape[0] // 2
        self.synthesis = synthesis_matrix(s)
        self.analysis = self.synthesis.T.contiguous()
        self.signs = quarter_turns(2 * self.antennas)
        self.eye = torch.eye(2 * self.antennas)
        self.solve = {"eager": self.in_place, "complex": self.complex, "compile": self.chunks}[variant]
        if variant == "complex":
            y = self.y.view(self.frames * self.antennas, 2, length)
            self.y = torch.complex(y[:, 0], y[:, 1])
            self.synthesis = torch.complex(s[:length], s[length:]).T.contiguous()
            self.analysis = self.synthesis.mH.resolve_conj().contiguous()
            self.eye = torch.eye(self.antennas)
        if variant == "compile":
            self.advance = torch.compile(self.several, fullgraph=True, dynamic=False)

    def statistics(self, tau2: torch.Tensor):
        """`omega`, slope and offset of the likelihood ratio with the prior in it, all `[F, K]`."""
        omega = self.beta / (self.beta + tau2)
        return omega, omega / tau2, torch.log1p(self.beta / tau2).mul_(self.antennas).sub_(self.log_odds)

    def in_place(self) -> torch.Tensor:
        """Stacked real buffers."""
        f, length, k = self.frames, self.y.shape[1] // 2, self.beta.shape[1]
        r, x = self.y.clone(), torch.zeros(self.y.shape[0], 2 * k)
        z, square = torch.empty_like(x), torch.empty_like(x)
        planes, squares, rows = coordinates(z, f), coordinates(square, f), coordinates(r, f)
        for t in range(self.iterations):
            tau2 = residual_power(r, f)
            torch.addmm(x, r, self.analysis, out=z)
            omega, slope, offset = self.statistics(tau2)
            torch.mul(z, z, out=square)
            posterior = squares.sum(1).mul_(slope).sub_(offset).sigmoid_()
            weight = omega.mul_(posterior)
            torch.mul(planes, weight[:, None], out=coordinates(x, f))
            if t + 1 == self.iterations:
                break
            curvature = slope.mul_(weight).mul_(1 - posterior)
            torch.mul(planes, curvature[:, None], out=squares)
            g = torch.bmm(squares, planes.mT)
            jacobian = torch.addcmul(g, swap(g), self.signs).addcmul_(self.eye, weight.sum(1)[:, None, None])
            corrected = torch.baddbmm(coordinates(self.y, f), jacobian, rows, alpha=1 / length)
            torch.addmm(corrected.view_as(r), x, self.synthesis, alpha=-1, out=r)
        return x

    def complex(self) -> torch.Tensor:
        """Complex tensors, one antenna a row."""
        f, (_, length), k = self.frames, self.y.shape, self.beta.shape[1]
        r, x = self.y.clone(), torch.zeros(self.y.shape[0], k, dtype=self.y.dtype)
        for t in range(self.iterations):
            tau2 = torch.view_as_real(r).reshape(f, -1).square().sum(1, keepdim=True) / (length * self.antennas)
            z = torch.addmm(x, r, self.analysis).view(f, -1, k)
            omega, slope, offset = self.statistics(tau2)
            posterior = torch.view_as_real(z).square().sum((1, 3)).mul_(slope).sub_(offset).sigmoid_()
            weight = omega.mul_(posterior)
            x = (z * weight[:, None]).view(-1, k)
            if t + 1 == self.iterations:
                break
            curvature = slope.mul_(weight).mul_(1 - posterior)
            jacobian = torch.bmm(z * curvature[:, None], z.mH) + self.eye * weight.sum(1)[:, None, None]
            corrected = torch.baddbmm(self.y.view(f, -1, length), jacobian, r.view(f, -1, length), alpha=1 / length)
            r = torch.addmm(corrected.view_as(r), x, self.synthesis, alpha=-1)
        return torch.cat([x.real, x.imag], 1)

    def several(self, r, x, count: int, last: bool):
        """Some iterations without Python between them, for the compiler."""
        parameters = CLASSICAL | {"theta_1": -self.log_odds}
        for t in range(count):
            end = last and t + 1 == count
            (r, x), _ = iteration(
                (r, x), self.y, self.beta, self.synthesis, self.analysis, parameters, 1, self.signs, end
            )
        return r, x

    def chunks(self) -> torch.Tensor:
        """All iterations through compiled chunks."""
        r, x = self.y, torch.zeros(self.y.shape[0], 2 * self.beta.shape[1])
        for first in range(0, self.iterations, self.CHUNK):
            count = min(self.CHUNK, self.iterations - first)
            r, x = self.advance(r, x, count, first + count == self.iterations)
        return x

    def outputs(self) -> dict[str, np.ndarray]:
        """Estimates of the rows."""
        with torch.inference_mode():
            return {"x": self.solve().numpy().copy()}

    def run(self) -> None:
        """One batch."""
        with torch.inference_mode():
            self.solve()


PEERS = {"amp-small": AmpPeer, "amp-large": AmpPeer}
