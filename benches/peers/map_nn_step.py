#!/usr/bin/env python3
"""One MAP-NN training step in PyTorch: the peer of `cargo bench --bench map_nn`.

Batch 32, U = 55 sweeps, N = 100 devices, L = 12, M = 4, on the CPU: coordinate descent over all devices, batched over
frames, differentiated by autograd. Needs only torch.
"""

import math
import time

import torch

BATCH, SWEEPS, N, L, M = 32, 55, 100, 12, 4


def frames(dtype):
    torch.manual_seed(1)
    gaussian = lambda *shape: torch.randn(*shape, dtype=dtype)
    pilots = gaussian(L, N) / math.sqrt(0.1)  # columns of energy L/sigma2
    active = (torch.rand(BATCH, N) < 0.1)
    x = gaussian(BATCH, N, M) * active[..., None]
    return pilots, pilots @ x + gaussian(BATCH, L, M), active


def descend(log_odds, a, y):
    p = torch.eye(L, dtype=a.dtype).expand(BATCH, L, L)
    alpha = [torch.zeros(BATCH, dtype=a.real.dtype)] * N
    yh = y.mH
    for _ in range(SWEEPS):
        for n in range(N):
            v = p @ a[:, n]
            e = (a[:, n].conj() * v).real.sum(1)
            w = (yh @ v[..., None])[..., 0]
            q = (w.real**2 + w.imag**2).sum(1) / M
            root = (e * e - 4 * q * log_odds[n] / M).clamp_min(1e-12).sqrt()
            d = (2 * q / (e + root) - 1) / e
            new = (alpha[n] + d).clamp(0, 1)
            d = new - alpha[n]
            alpha[n] = new
            p = p - (d / (1 + d * e))[:, None, None] * v[..., None] * v.conj()[:, None, :]
    return torch.stack(alpha, 1)


def step(pilots, y, active):
    log_odds = torch.full((N,), -math.log(9), dtype=pilots.real.dtype, requires_grad=True)
    logits = 8 * (descend(log_odds, pilots, y) - 0.5)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, active.to(logits.dtype))
    loss.backward()
    return loss.item()


def main():
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name, dtype in (("complex128", torch.complex128), ("complex64", torch.complex64)):
        data = frames(dtype)
        best = math.inf
        for _ in range(3):
            begin = time.perf_counter()
            loss = step(*data)
            best = min(best, time.perf_counter() - begin)
        print(f"{name}: {best * 1e3:.0f} ms a step (loss {loss:.4f})")


if __name__ == "__main__":
    main()
