"""Times both sides of one case in alternation."""

import gc
import statistics
import time

import torch

import agreement
import cases
from cases.stacked import StackedPeer, exactly
from worker import Worker

# Seconds of one measurement.
SPAN = 0.7
# Measurements by which the variants are told apart.
TRIALS = 2


class Torch:
    """One variant of a peer with a number of threads, timed as the worker times itself."""

    def __init__(self, peer, variant, threads):
        self.peer, self.variant, self.threads = peer, variant, threads
        self.count = 1

    def __call__(self, count):
        torch.set_num_threads(self.threads)
        run = self.peer.run
        gc.disable()
        begin = time.perf_counter()
        for _ in range(count):
            run()
        seconds = time.perf_counter() - begin
        gc.enable()
        return seconds


def repetitions(side):
    """How many fill a measurement; warms up on the way."""
    side(1)
    count, seconds = 1, side(1)
    while seconds < SPAN / 4:
        count = max(count + 1, min(round(count * SPAN / 2 / max(seconds, 1e-9)), 100 * count))
        seconds = side(count)
    return max(1, round(count * SPAN / seconds))


def variants(case, threads, only):
    """Names of the variants and the numbers of threads to try: small operations may be faster without a second thread."""
    names = cases.peer(case).variants
    names = [name for name in names if not only or name in only] or names
    return names, sorted({threads, 1}, reverse=True)


def fastest(case, inputs, ours, threads, only, log):
    """The fastest variant that works, the difference of all of them from our outputs, and the trials."""
    best, worst, trials = None, (0.0, "nothing to compare"), {}
    names, counts = variants(case, threads, only)
    for name in names:
        try:
            torch.set_num_threads(threads)
            begin = time.perf_counter()
            peer = cases.peer(case)(inputs, name)
            found = peer.outputs()
            gap = agreement.differences(ours, found, inputs)[0]
            if gap[0] > 1.0 and isinstance(peer, StackedPeer):
                with exactly():
                    exact = cases.peer(case)(inputs, "eager").outputs()
                gap = agreement.beside_exact(ours, found, exact, inputs)[0]
            worst = max(worst, gap)
            built = time.perf_counter() - begin
            for used in counts:
                side = Torch(peer, name, used)
                side.count = repetitions(side)
                seconds = min(side(side.count) for _ in range(TRIALS)) / side.count
                label = f"{name}, {used} thread{'s' * (used > 1)}"
                trials[label] = seconds
                log(f"  {label}: {seconds:.4g} s (ready after {built:.1f} s)")
                if best is None or seconds < best[0]:
                    best = seconds, side, label
        except Exception as error:  # a variant that does not work is not the fastest
            trials[name] = f"{type(error).__name__}: {error}".splitlines()[0]
            log(f"  {name} failed: {trials[name]}")
    if best is None:
        raise RuntimeError("; ".join(f"{name}: {error}" for name, error in trials.items()))
    return best[1], best[2], worst, trials


def share_of_gemm(inputs, seconds):
    """GFLOP/s of the two products of every iteration of AMP, 8 L K flops a row each."""
    rows, two_length = inputs["y"].shape
    flops = 2 * 8 * (two_length // 2) * inputs["pilots"].shape[1] * rows * float(inputs["iterations"])
    return 1e-9 * flops / seconds


def compare(binary, case, pairs, threads, only, log):
    """The row of one case: medians, the ratios of `pairs` pairs, differences of the outputs."""
    torch.manual_seed(1)
    with Worker(binary, case, threads) as ours:
        inputs, outputs = ours.arrays()
        theirs, label, (share, difference), trials = fastest(case, inputs, outputs, threads, only, log)
        counts = repetitions(ours), theirs.count
        theirs(1)
        times = [], []
        for pair in range(pairs):
            gc.collect()
            for side in (0, 1) if pair % 2 == 0 else (1, 0):
                times[side].append((ours, theirs)[side](counts[side]) / counts[side])
    ratios = [b / a for a, b in zip(*times)]
    row = {
        "case": case, "ours": statistics.median(times[0]), "theirs": statistics.median(times[1]), "variant": label,
        "ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios), "repetitions": counts,
        "seconds": times, "difference": difference, "agrees": share <= 1.0, "trials": trials,
    }
    if case == "amp-large":
        row["product_gflops"] = [share_of_gemm(inputs, row[side]) for side in ("ours", "theirs")]
    return row
