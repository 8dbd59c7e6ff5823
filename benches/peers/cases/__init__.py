"""PyTorch peers, one module per family of cases; a module is imported when one of its cases is asked for."""

import importlib

MODULES = {
    "amp": ("amp-small", "amp-large"),
    "amp_nn": ("amp-nn-small", "amp-nn-large"),
    "group_lasso_nn": ("gl-nn",),
    "map_nn": ("map-nn",),
    "mampnet": ("mampnet-shared", "mampnet-paper"),
    "covariance": ("covariance",),
    "sicnn": ("sicnn",),
    "score": ("score",),
    "langevin": ("langevin",),
}

CASES = [case for cases in MODULES.values() for case in cases]


def peer(case):
    """The class of a case."""
    for name, cases in MODULES.items():
        if case in cases:
            return importlib.import_module(f".{name}", __name__).PEERS[case]
    raise KeyError(f"no PyTorch peer of the case {case}")
