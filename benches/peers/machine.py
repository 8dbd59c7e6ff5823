"""What the numbers were measured on."""

import os
import platform
import time

import torch


def cpu():
    """Model name of the processor."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def gemm(size=2048, rounds=6):
    """GFLOP/s of a product of two square matrices in single precision, the best of some rounds."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    out = torch.empty(size, size)
    best = float("inf")
    for _ in range(rounds):
        begin = time.perf_counter()
        torch.mm(a, b, out=out)
        best = min(best, time.perf_counter() - begin)
    return 2e-9 * size**3 / best


def describe(threads):
    """Versions and sizes, for the head of the report."""
    return {
        "torch": torch.__version__, "cpu": cpu(), "cores": os.cpu_count(), "threads": threads,
        "wait_policy": os.environ.get("OMP_WAIT_POLICY", "default"),
        "load": [round(v, 2) for v in os.getloadavg()], "torch_gemm_gflops": gemm(),
    }
