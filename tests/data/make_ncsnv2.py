#!/usr/bin/env python3
"""Tiny NCSNv2 networks with random parameters, and what PyTorch computes with them.

Writes, beside this file, for each of the three published variants:
    NAME.pt             the state_dict, as torch.save writes it
    NAME.expected.npz   x0 [2, 2, 8, 16], label0 [2], y0 = forward(x0, label0), and x1, label1, y1 of 16 x 32 pixels

The modules follow the structure and the attribute names of NCSNv2 (Y. Song, S. Ermon, "Improved techniques for training
score-based generative models", 2020; code of the authors: github.com/ermongroup/ncsnv2, MIT licence), so that the keys
of their state_dict are the public ones.

    python3 tests/data/make_ncsnv2.py      # needs torch and numpy
"""

import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def conv(inputs, outputs, kernel=3, dilation=1, bias=True):
    padding = dilation * (kernel // 2)
    return nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=bias)


class NormPlus(nn.Module):
    """Instance normalisation that keeps the relative means of the channels."""

    def __init__(self, channels):
        super().__init__()
        self.instance_norm = nn.InstanceNorm2d(channels, affine=False, track_running_stats=False)
        for name in ("alpha", "gamma", "beta"):
            setattr(self, name, nn.Parameter(torch.zeros(channels)))

    def forward(self, x):
        means = x.mean(dim=(2, 3), keepdim=True)
        centre, spread = means.mean(dim=1, keepdim=True), means.var(dim=1, keepdim=True)
        relative = (means - centre) / torch.sqrt(spread + 1e-5)
        shaped = lambda p: p.view(1, -1, 1, 1)
        h = self.instance_norm(x) + relative * shaped(self.alpha)
        return shaped(self.gamma) * h + shaped(self.beta)


class PooledConv(nn.Module):
    """A convolution, then the mean over 2 x 2 pixels."""

    def __init__(self, inputs, outputs, kernel):
        super().__init__()
        self.conv = conv(inputs, outputs, kernel)

    def forward(self, x):
        return F.avg_pool2d(self.conv(x), 2)


class ResBlock(nn.Module):
    """`down` without a dilation halves the image; with one it only looks farther."""

    def __init__(self, inputs, outputs, down=False, dilation=None):
        super().__init__()
        middle, d = (inputs if down else outputs), dilation or 1
        pools = down and dilation is None
        self.normalize1 = NormPlus(inputs)
        self.conv1 = conv(inputs, middle, dilation=d)
        self.normalize2 = NormPlus(middle)
        self.conv2 = PooledConv(middle, outputs, 3) if pools else conv(middle, outputs, dilation=d)
        self.shortcut = None
        if pools:
            self.shortcut = PooledConv(inputs, outputs, 1)
        elif down or inputs != outputs:
            self.shortcut = conv(inputs, outputs, 3 if dilation else 1, dilation=d)

    def forward(self, x):
        y = self.conv1(F.elu(self.normalize1(x)))
        y = self.conv2(F.elu(self.normalize2(y)))
        return y + (x if self.shortcut is None else self.shortcut(x))


class Rcu(nn.Module):
    def __init__(self, channels, blocks):
        super().__init__()
        self.names = [[f"{i + 1}_{j + 1}_conv" for j in range(2)] for i in range(blocks)]
        for name in sum(self.names, []):
            setattr(self, name, conv(channels, channels, bias=False))

    def forward(self, x):
        for block in self.names:
            y = x
            for name in block:
                y = getattr(self, name)(F.elu(y))
            x = x + y
        return x


class Msf(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.convs = nn.ModuleList(conv(c, outputs) for c in inputs)

    def forward(self, xs, size):
        resized = lambda h: F.interpolate(h, size=size, mode="bilinear", align_corners=True)
        return sum(resized(c(x)) for c, x in zip(self.convs, xs))


class Crp(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.convs = nn.ModuleList(conv(channels, channels, bias=False) for _ in range(2))

    def forward(self, x):
        x = F.elu(x)
        path = x
        for c in self.convs:
            path = c(F.max_pool2d(path, 5, stride=1, padding=2))
            x = x + path
        return x


class Refine(nn.Module):
    def __init__(self, inputs, outputs, last=False):
        super().__init__()
        self.adapt_convs = nn.ModuleList(Rcu(c, 2) for c in inputs)
        self.output_convs = Rcu(outputs, 3 if last else 1)
        if len(inputs) > 1:
            self.msf = Msf(inputs, outputs)
        self.crp = Crp(outputs)

    def forward(self, xs, size):
        hs = [a(x) for a, x in zip(self.adapt_convs, xs)]
        h = self.msf(hs, size) if len(hs) > 1 else hs[0]
        return self.output_convs(self.crp(h))


# Per variant: the stages after res1 as (name, width in ngf, dilation), and the names of the refinements from coarse to fine.
VARIANTS = {
    "NCSNv2": (
        [("res2", 2, None), ("res3", 2, 2), ("res4", 2, 4)],
        ["refine1", "refine2", "refine3", "refine4"],
    ),
    "NCSNv2Deeper": (
        [("res2", 2, None), ("res3", 2, None), ("res4", 4, 2), ("res5", 4, 4)],
        ["refine1", "refine2", "refine3", "refine4", "refine5"],
    ),
    "NCSNv2Deepest": (
        [("res2", 2, None), ("res3", 2, None), ("res31", 2, None), ("res4", 4, 2), ("res5", 4, 4)],
        ["refine1", "refine2", "refine31", "refine3", "refine4", "refine5"],
    ),
}


class Ncsn(nn.Module):
    def __init__(self, variant, ngf, sigmas, rescaled=True):
        super().__init__()
        stages, self.refinements = VARIANTS[variant]
        self.rescaled = rescaled
        self.register_buffer("sigmas", sigmas)
        self.begin_conv = conv(2, ngf)
        self.normalizer = NormPlus(ngf)
        self.end_conv = conv(ngf, 2)
        self.res1 = nn.ModuleList([ResBlock(ngf, ngf), ResBlock(ngf, ngf)])
        widths, self.stages = [ngf], ["res1"]
        for name, width, dilation in stages:
            c = width * ngf
            first = ResBlock(widths[-1], c, down=True, dilation=dilation)
            setattr(self, name, nn.ModuleList([first, ResBlock(c, c, dilation=dilation)]))
            widths.append(c)
            self.stages.append(name)
        above = None
        for i, name in zip(reversed(range(len(widths))), self.refinements):
            inputs = [widths[i]] + ([] if above is None else [above])
            outputs = widths[i] if above is None else widths[max(i - 1, 0)]
            setattr(self, name, Refine(inputs, outputs, last=i == 0))
            above = outputs

    def forward(self, x, label):
        h = self.begin_conv(x if self.rescaled else 2 * x - 1)
        layers = []
        for stage in self.stages:
            for block in getattr(self, stage):
                h = block(h)
            layers.append(h)
        refined = []
        for name, layer in zip(self.refinements, reversed(layers)):
            refined = [getattr(self, name)([layer] + refined, layer.shape[2:])]
        h = self.end_conv(F.elu(self.normalizer(refined[0])))
        return h / self.sigmas[label].view(-1, 1, 1, 1)


def randomise(net):
    """Nothing stays at an initial value that would hide a parameter."""
    with torch.no_grad():
        for name, p in net.named_parameters():
            if name.endswith(("alpha", "gamma")):
                p.copy_(1 + 0.3 * torch.randn_like(p))
            elif name.endswith(("beta", "bias")):
                p.copy_(0.3 * torch.randn_like(p))


def main():
    here = pathlib.Path(__file__).parent
    for seed, (variant, ngf, rescaled) in enumerate(
        [("NCSNv2", 4, True), ("NCSNv2Deeper", 2, True), ("NCSNv2Deepest", 3, False)]
    ):
        torch.manual_seed(seed)
        sigmas = torch.tensor(np.exp(np.linspace(np.log(2.0), np.log(0.05), 10))).float()
        net = Ncsn(variant, ngf, sigmas, rescaled).eval()
        randomise(net)
        arrays = {}
        with torch.no_grad():
            for i, (height, width) in enumerate([(8, 16), (16, 32)]):
                x, label = torch.randn(2, 2, height, width), torch.tensor([0, 9 - i])
                arrays |= {f"x{i}": x.numpy(), f"label{i}": label.numpy(), f"y{i}": net(x, label).numpy()}
        name = variant.lower()
        torch.save(net.state_dict(), here / f"{name}.pt")
        np.savez(here / f"{name}.expected.npz", **arrays)
        count = sum(p.numel() for p in net.parameters())
        peak = [float(np.abs(arrays[f"y{i}"]).max()) for i in range(2)]
        print(f"{variant}: {count} parameters, largest |y| {peak}")


if __name__ == "__main__":
    main()
