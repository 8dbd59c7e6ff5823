"""Covariance detection: coordinate descent on the powers of all columns, one after the other, all frames at once."""

import numpy as np
import torch

from .stacked import tensor


class CovariancePeer:
    """`v = P a`, `s = a^H v`, `q = ||Y^H v||^2/M`, `d = max((q - s)/s^2, -gamma)`, `P -= d v v^H/(1 + d s)`.

    `complex` keeps P as complex matrices; `planes` keeps its real part above its imaginary part, `[F, 2L, L]`, so that
    `P a` is one product for all frames and the update has rank two. Both change P in place. `compile` compiles steps on
    planes with the frames last.
    """

    variants = ("complex", "planes", "compile")
    CHUNK = 4

    def __init__(self, inputs: dict[str, np.ndarray], variant: str):
        self.frames, self.count = inputs["beta"].shape
        self.sweeps = int(inputs["sweeps"])
        s, y = tensor(inputs["pilots"]), tensor(inputs["y"])
        self.length = s.shape[0] // 2
        self.antennas = y.shape[0] // self.frames
        y = y.view(self.frames, self.antennas, 2, self.length) / self.antennas**0.5
        re, im = s[: self.length].T, s[self.length :].T
        prepare = {"complex": self.prepare_complex, "planes": self.prepare_planes, "compile": self.prepare_last}
        prepare[variant](re, im, y)

    def prepare_complex(self, re, im, y) -> None:
        """Complex columns, and `Y^H/sqrt(M)`."""
        self.columns = torch.complex(re, im).unbind(0)
        self.adjoint = torch.complex(y[:, :, 0], -y[:, :, 1])
        self.solve = self.solve_complex

    def solve_complex(self) -> torch.Tensor:
        """One batched product with Y per step, the rank-one update in place."""
        frames, length = self.frames, self.length
        p = torch.eye(length, dtype=self.adjoint.dtype).repeat(frames, 1, 1)
        flat = p.view(frames * length, length)
        gamma = torch.zeros(self.count, frames)
        for _ in range(self.sweeps):
            for power, a in zip(gamma, self.columns):
                v = torch.mv(flat, a).view(frames, length, 1)
                s = torch.mv(v.view(frames, length), a.conj()).real
                q = torch.view_as_real(torch.bmm(self.adjoint, v)).square().sum((1, 2, 3))
                d = torch.maximum((q - s) / (s * s), -power)
                power += d
                p.baddbmm_(v * (d / (1 + d * s))[:, None, None], v.mH, alpha=-1)
        return gamma.T

    def prepare_planes(self, re, im, y) -> None:
        """`[L, 2]` per column, and the real form of `Y^H/sqrt(M)`, `[F, 2M, 2L]`, on `(re v, im v)`."""
        self.columns = torch.stack([re, im], 2).unbind(0)
        self.rows = torch.cat([re, im], 1).unbind(0)
        real, imaginary = y[:, :, 0], y[:, :, 1]
        self.adjoint = torch.cat([torch.cat([real, imaginary], 2), torch.cat([-imaginary, real], 2)], 1).contiguous()
        self.solve = self.solve_planes

    def solve_planes(self) -> torch.Tensor:
        """Real arithmetic on buffers."""
        frames, length = self.frames, self.length
        p = torch.cat([torch.eye(length), torch.zeros(length, length)]).repeat(frames, 1, 1)
        flat = p.view(frames * 2 * length, length)
        gamma = torch.zeros(self.count, frames)
        products = torch.empty(frames, 2, length, 2)
        v = torch.empty(frames, 2, length)
        # The left factor of the update: [re v, im v] over [im v, -re v], times the step.
        left = torch.empty(frames, 2, length, 2)
        vectors = v.view(frames, 2 * length)
        for _ in range(self.sweeps):
            for power, a, row in zip(gamma, self.columns, self.rows):
                torch.mm(flat, a, out=products.view(-1, 2))
                torch.sub(products[:, 0, :, 0], products[:, 1, :, 1], out=v[:, 0])
                torch.add(products[:, 0, :, 1], products[:, 1, :, 0], out=v[:, 1])
                s = torch.mv(vectors, row)
                q = torch.bmm(self.adjoint, vectors[:, :, None]).square().sum((1, 2))
                d = torch.maximum((q - s) / (s * s), -power)
                power += d
                step = (d / (1 + d * s))[:, None, None]
                torch.mul(v, step, out=left[..., 0])
                torch.mul(v[:, 1], step[:, 0], out=left[:, 0, :, 1])
                torch.mul(v[:, 0], -step[:, 0], out=left[:, 1, :, 1])
                p.baddbmm_(left.view(frames, 2 * length, 2), v, alpha=-1)
        return gamma.T

    def prepare_last(self, re, im, y) -> None:
        """`[2, 2L]` per column, and the real form of `Y^H/sqrt(M)`, `[2M, 2L, F]`."""
        self.forward = torch.stack([torch.cat([re, -im], 1), torch.cat([im, re], 1)], 1)
        self.rows = torch.cat([re, im], 1)
        real, imaginary = y[:, :, 0].permute(1, 2, 0), y[:, :, 1].permute(1, 2, 0)
        self.adjoint = torch.cat([torch.cat([real, imaginary], 1), torch.cat([-imaginary, real], 1)], 0).contiguous()
        self.advance = torch.compile(self.several, fullgraph=True, dynamic=False)
        self.solve = self.solve_last

    def several(self, p, gamma, forward, rows):
        """Some steps: `p [2, L, L, F]` holds P_ij at (plane, j, i) and changes, as `gamma [count, F]` does."""
        length, frames = self.length, self.frames
        for power, a, row in zip(gamma.unbind(0), forward.unbind(0), rows.unbind(0)):
            v = (a.view(2, 2 * length, 1, 1) * p.view(1, 2 * length, length, frames)).sum(1)
            flat = v.view(2 * length, frames)
            s = (row[:, None] * flat).sum(0)
            q = (self.adjoint * flat).sum(1).square().sum(0)
            d = torch.maximum((q - s) / (s * s), -power)
            power.add_(d)
            scaled = v * (d / (1 + d * s))
            turned = torch.stack([scaled[1], -scaled[0]])
            p.sub_(v[0][None, :, None] * scaled[:, None] + v[1][None, :, None] * turned[:, None])

    def solve_last(self) -> torch.Tensor:
        """All sweeps in compiled chunks."""
        length = self.length
        p = torch.stack([torch.eye(length), torch.zeros(length, length)])[..., None].repeat(1, 1, 1, self.frames)
        gamma = torch.zeros(self.count, self.frames)
        chunks = list(zip(gamma.split(self.CHUNK), self.forward.split(self.CHUNK), self.rows.split(self.CHUNK)))
        for _ in range(self.sweeps):
            for powers, forward, rows in chunks:
                self.advance(p, powers, forward, rows)
        return gamma.T

    def outputs(self) -> dict[str, np.ndarray]:
        """Powers in units of unit noise and unit pilots, as beta is."""
        with torch.inference_mode():
            return {"gamma": self.solve().contiguous().numpy().copy()}

    def run(self) -> None:
        """One batch."""
        with torch.inference_mode():
            self.solve()


PEERS = {"covariance": CovariancePeer}
