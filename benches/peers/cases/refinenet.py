"""The score network (NCSNv2's RefineNet) as PyTorch modules; names of parameters are those of the arrays.

The shapes of the weights say what the network is: a stage whose first shortcut has a single tap halves the image, one with
3 x 3 taps dilates instead, by 2 and then by 4.
"""

import torch
from torch import nn
from torch.nn import functional as F

EPSILON = 1e-5


def conv(inputs, outputs, kernel=3, dilation=1, bias=True):
    """A convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2 * dilation, dilation=dilation, bias=bias)


class NormPlus(nn.Module):
    """`gamma (norm(x) + alpha m') + beta`, m' the means of the channels, themselves normalised over the channels.

    PyTorch has two fused kernels for `norm`, each fast in one memory format.
    """

    def __init__(self, channels, channels_last):
        super().__init__()
        self.alpha, self.gamma, self.beta = (nn.Parameter(torch.empty(channels)) for _ in range(3))
        self.channels_last = channels_last

    def forward(self, x):
        channels = x.shape[1]
        spread, centre = torch.var_mean(means := x.mean((2, 3)), 1, keepdim=True)
        shift = self.gamma * self.alpha * (means - centre) * (spread + EPSILON).rsqrt()
        if self.channels_last:
            y = F.instance_norm(x, weight=self.gamma, bias=self.beta, eps=EPSILON)
        else:
            y = F.group_norm(x, channels, self.gamma, self.beta, EPSILON)
        return y + shift[:, :, None, None]


class ResidualBlock(nn.Module):
    """`shortcut(x) + conv2(elu(norm2(conv1(elu(norm1(x))))))`, then a mean over 2 x 2 pixels where it halves."""

    def __init__(self, inputs, middle, outputs, kernel, dilation, halves, channels_last):
        super().__init__()
        self.normalize1, self.normalize2 = NormPlus(inputs, channels_last), NormPlus(middle, channels_last)
        self.conv1, self.conv2 = conv(inputs, middle, 3, dilation), conv(middle, outputs, 3, dilation)
        self.shortcut = conv(inputs, outputs, kernel, dilation) if kernel else None
        self.halves = halves

    def forward(self, x):
        y = self.conv1(F.elu(self.normalize1(x)))
        y = self.conv2(F.elu(self.normalize2(y)))
        y = y + (x if self.shortcut is None else self.shortcut(x))
        return F.avg_pool2d(y, 2) if self.halves else y


class ResidualUnits(nn.Module):
    """Blocks of two convolutions, activation first, each with a way around it."""

    def __init__(self, channels, blocks):
        super().__init__()
        block = lambda: nn.ModuleList(conv(channels, channels, bias=False) for _ in range(2))
        self.convs = nn.ModuleList(block() for _ in range(blocks))

    def forward(self, x):
        for first, second in self.convs:
            x = x + second(F.elu(first(F.elu(x))))
        return x


def pool(x):
    """Maximum over 5 x 5 pixels: rows, then columns, in the only memory format that this kernel is fast in."""
    x = x.contiguous(memory_format=torch.channels_last)
    return F.max_pool2d(F.max_pool2d(x, (5, 1), 1, (2, 0)), (1, 5), 1, (0, 2))


class ChainedPooling(nn.Module):
    """Two poolings, each followed by a convolution; the sum of all stages."""

    def __init__(self, channels):
        super().__init__()
        self.convs = nn.ModuleList(conv(channels, channels, bias=False) for _ in range(2))

    def forward(self, x):
        total = path = F.elu(x)
        for layer in self.convs:
            path = layer(pool(path))
            total = total + path
        return total


class Fusion(nn.Module):
    """The sum of images of several sizes after one convolution each."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.convs = nn.ModuleList(conv(c, outputs) for c in inputs)

    def forward(self, images, size):
        total = None
        for layer, x in zip(self.convs, images):
            y = layer(x)
            if y.shape[2:] != size:
                y = F.interpolate(y, size, mode="bilinear", align_corners=True)
            total = y if total is None else total + y
        return total


class RefineBlock(nn.Module):
    """Residual units per input, fusion, chained pooling, residual units."""

    def __init__(self, inputs, outputs, blocks):
        super().__init__()
        self.adapt_convs = nn.ModuleList(ResidualUnits(c, 2) for c in inputs)
        self.msf = Fusion(inputs, outputs) if len(inputs) > 1 else None
        self.crp = ChainedPooling(outputs)
        self.output_convs = ResidualUnits(outputs, blocks)

    def forward(self, images, size):
        adapted = [units(x) for units, x in zip(self.adapt_convs, images)]
        x = adapted[0] if self.msf is None else self.msf(adapted, size)
        return self.output_convs(self.crp(x))


class RefineNet(nn.Module):
    """Score of images `[B, 2, M, N]` times their noise level; `weights` are arrays by path."""

    def __init__(self, weights, channels_last):
        super().__init__()
        shape = lambda path: next((v.shape for k, v in weights.items() if ("." + k).endswith("." + path)), None)
        width = shape("begin_conv.weight")[0]
        self.begin_conv, self.end_conv = conv(2, width), conv(width, 2)
        self.normalizer = NormPlus(width, channels_last)
        self.stages, widths, dilation = nn.ModuleList(), [], 1
        while shape(f"stages.{len(self.stages)}.0.conv1.weight"):
            stage = nn.ModuleList()
            for j in range(2):
                path = f"stages.{len(self.stages)}.{j}"
                middle, inputs = shape(f"{path}.conv1.weight")[:2]
                outputs, shortcut = shape(f"{path}.conv2.weight")[0], shape(f"{path}.shortcut.weight")
                kernel = shortcut[-1] if shortcut else 0
                dilation *= 2 if kernel == 3 else 1
                stage.append(ResidualBlock(inputs, middle, outputs, kernel, dilation, kernel == 1, channels_last))
            widths.append(outputs)
            self.stages.append(stage)
        self.refine, above = nn.ModuleList(), []
        for i in reversed(range(len(widths))):
            outputs = widths[max(i - 1, 0)] if above else widths[i]
            self.refine.append(RefineBlock([widths[i], *above], outputs, 3 if above and i == 0 else 1))
            above = [outputs]
        if channels_last:
            self.to(memory_format=torch.channels_last)

    def forward(self, x):
        images, h = [], self.begin_conv(x)
        for stage in self.stages:
            for block in stage:
                h = block(h)
            images.append(h)
        refined = []
        for block, image in zip(self.refine, reversed(images)):
            refined = [block([image, *refined], image.shape[2:])]
        return self.end_conv(F.elu(self.normalizer(refined[0])))
