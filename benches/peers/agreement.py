"""Do both sides compute the same?"""

import numpy as np

# Largest relative difference (L2) of an array; of the error of a sampler, in dB. Estimates of frames are judged by the median
# frame: at these sizes a few frames never settle, and then every rounding leads elsewhere. Powers of coordinate descent in
# single precision are good to some percent only.
LIMITS = {"gradient": 1e-2, "nmse": 1.0, "value": 1e-3, "frames": 1e-3, "powers": 5e-2}


def frame_difference(ours, theirs, frames):
    """Median over frames of the relative difference."""
    a, b = ours.reshape(frames, -1).astype(float), theirs.reshape(frames, -1).astype(float)
    return float(np.median(np.linalg.norm(a - b, axis=1) / np.maximum(np.linalg.norm(a, axis=1), 1e-30)))


# Gradients that no single precision determines to LIMITS: the distance of ours from those in double precision may be as many
# times PyTorch's own, in the median over arrays. A single array says little: a scalar may be right by chance.
ROUNDING = 3.0


def beside_exact(ours, theirs, exact, inputs):
    """Pairs as of `differences` where those disagree, with PyTorch in double precision as the judge of gradients."""
    own, other = ({name: (share, text) for share, text, name in named(side, exact, inputs)} for side in (ours, theirs))
    found = [pair for name, pair in own.items() if not name.startswith("grad.")]
    ratios = [own[name][0] / other[name][0] for name in own if name.startswith("grad.") and other[name][0] > 0]
    median = float(np.median(ratios))
    worst = [max(side[name] for name in own if name.startswith("grad."))[1].split()[:2] for side in (own, other)]
    text = " and ".join(f"{who} {value} in {name}" for who, (name, value) in zip(("ours", "PyTorch's"), worst))
    text = f"beside double precision, gradients are up to {text} off; median ratio of the distances {median:.2f} (limit {ROUNDING:g})"
    return sorted([*found, (median / ROUNDING, text)], reverse=True)


def differences(ours, theirs, inputs):
    """Pairs (share of the limit, text), the largest share first."""
    return sorted(((share, text) for share, text, _ in named(ours, theirs, inputs)), reverse=True)


def named(ours, theirs, inputs):
    """Share of the limit, text and name of every array."""
    # A gradient of zeros is as good as none.
    theirs = {k: v for k, v in theirs.items() if k in ours or np.any(v)}
    if missing := set(ours) ^ set(theirs):
        raise RuntimeError(f"only one side has {', '.join(sorted(missing))}")
    gradients = [v for k, v in ours.items() if k.startswith("grad.")]
    count = max(sum(v.size for v in gradients), 1)
    total = np.sqrt(sum(np.linalg.norm(v.ravel()) ** 2 for v in gradients) / count)
    found = []
    for name in ours:
        a, b = (np.asarray(side[name]).ravel() for side in (ours, theirs))
        if a.size != b.size:
            raise RuntimeError(f"{name}: {a.size} and {b.size} entries")
        kinds = {"nmse": "nmse", "gamma": "powers", "x": "frames"}
        kind, unit = ("gradient" if name.startswith("grad.") else kinds.get(name, "value")), ""
        if kind in ("frames", "powers"):
            value = frame_difference(a, b, len(inputs["beta"]))
        elif kind == "nmse":
            value, unit = float(np.max(np.abs(10 * np.log10(b / a)))), " dB"
        else:
            # An array of gradients that (almost) vanish is judged by the size of the others.
            floor = 1e-3 * total * np.sqrt(a.size) if kind == "gradient" else 0.0
            norm = max(np.linalg.norm(a), floor)
            value = float(np.linalg.norm(a - b) / norm) if norm > 0 else float(np.linalg.norm(b) > 0)
        # What is no number is as wrong as can be.
        share = value / LIMITS[kind] if np.isfinite(value) else float("inf")
        found.append((share, f"{name} {value:.1e}{unit} (limit {LIMITS[kind]:g})", name))
    return found
