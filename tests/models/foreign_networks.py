"""Other projects' U-Nets by their published names and wiring, written anew for the tests."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional


def randomise(network, seed=5):
    """Weights, and running statistics too, as far from their defaults as training leaves them."""
    generator = torch.Generator().manual_seed(seed)
    for key, value in network.state_dict().items():
        if value.is_floating_point():
            noise = torch.rand(value.shape, generator=generator)
            if value.ndim == 1:  # factors around 1, shifts upwards so that ReLUs stay open
                shift = key.endswith(("bias", "running_mean"))
                value.copy_(noise * 0.3 if shift else noise + 0.5)
            else:
                value.copy_((noise - 0.47) * (10 / value[0].numel()) ** 0.5)
    return network.eval()


def double(a, b, c, *, norm=True, bias=True):
    """Convolution, batch norm, ReLU, twice, numbered as in a plain sequence."""
    layers = []
    for one, two in ((a, b), (b, c)):
        layers.append(nn.Conv2d(one, two, 3, padding=1, bias=bias))
        layers += [nn.BatchNorm2d(two)] if norm else []
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class Holder(nn.Module):
    """Modules under the names that are given."""

    def __init__(self, **modules):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


class PyTorchUNet(nn.Module):
    """The widely forked one: inc, down1..4, up1..4, outc; the skip is joined first."""

    def __init__(self, inputs, outputs, f, *, bilinear):
        super().__init__()
        half = 2 if bilinear else 1
        self.inc = Holder(double_conv=double(inputs, f, f))
        widths = [f, 2 * f, 4 * f, 8 * f, 16 * f // half]
        for n in range(4):
            block = Holder(double_conv=double(widths[n], widths[n + 1], widths[n + 1]))
            down = Holder(maxpool_conv=nn.Sequential(nn.MaxPool2d(2), block))
            self.add_module(f"down{n + 1}", down)
        for n, (a, b) in enumerate([(16, 8), (8, 4), (4, 2), (2, half)]):
            out = b * f // half
            if bilinear:
                up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
                conv = double(a * f, a * f // 2, out)
            else:
                up = nn.ConvTranspose2d(a * f, a * f // 2, 2, stride=2)
                conv = double(a * f, out, out)
            self.add_module(f"up{n + 1}", Holder(up=up, conv=Holder(double_conv=conv)))
        self.outc = Holder(conv=nn.Conv2d(f, outputs, 1))

    def forward(self, x):
        kept = [self.inc.double_conv(x)]
        for down in (self.down1, self.down2, self.down3, self.down4):
            pool, block = down.maxpool_conv
            kept.append(block.double_conv(pool(kept[-1])))
        x = kept.pop()
        for up in (self.up1, self.up2, self.up3, self.up4):
            x, skip = up.up(x), kept.pop()
            y, z = (skip.shape[-2] - x.shape[-2]), (skip.shape[-1] - x.shape[-1])
            x = functional.pad(x, [z // 2, z - z // 2, y // 2, y - y // 2])
            x = up.conv.double_conv(torch.cat([skip, x], dim=1))
        return self.outc.conv(x)


class BrainUNet(nn.Module):
    """The one of torch.hub: convolutions without bias; its output passes the sigmoid."""

    def __init__(self, inputs, outputs, f):
        super().__init__()
        before = inputs
        for n in range(1, 5):
            self.add_module(f"encoder{n}", self.block(before, f * 2 ** (n - 1), f"enc{n}"))
            before = f * 2 ** (n - 1)
        self.bottleneck = self.block(8 * f, 16 * f, "bottleneck")
        for n in (4, 3, 2, 1):
            a = f * 2 ** (n - 1)
            self.add_module(f"upconv{n}", nn.ConvTranspose2d(2 * a, a, 2, stride=2))
            self.add_module(f"decoder{n}", self.block(2 * a, a, f"dec{n}"))
        self.conv = nn.Conv2d(f, outputs, 1)

    @staticmethod
    def block(a, b, name):
        parts = nn.Sequential()
        for n, channels in ((1, a), (2, b)):
            parts.add_module(f"{name}conv{n}", nn.Conv2d(channels, b, 3, padding=1, bias=False))
            parts.add_module(f"{name}norm{n}", nn.BatchNorm2d(b))
            parts.add_module(f"{name}relu{n}", nn.ReLU())
        return parts

    def forward(self, x):
        kept = []
        for n in range(1, 5):
            x = getattr(self, f"encoder{n}")(x)
            kept.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.bottleneck(x)
        for n in (4, 3, 2, 1):
            x = torch.cat([getattr(self, f"upconv{n}")(x), kept.pop()], 1)
            x = getattr(self, f"decoder{n}")(x)
        return torch.sigmoid(self.conv(x))


class CourseUNet(nn.Module):
    """The one with ups, downs, bottleneck and final_conv, made in this order."""

    def __init__(self, inputs, outputs, widths, *, skip_first=True, names=("ups", "downs")):
        super().__init__()
        ups, downs, before = nn.ModuleList(), nn.ModuleList(), inputs
        for width in widths:
            downs.append(Holder(conv=double(before, width, width, bias=False)))
            before = width
        for width in reversed(widths):
            ups.append(nn.ConvTranspose2d(2 * width, width, 2, stride=2))
            ups.append(Holder(conv=double(2 * width, width, width, bias=False)))
        self.add_module(names[0], ups)
        self.add_module(names[1], downs)
        self.bottleneck = Holder(conv=double(widths[-1], 2 * widths[-1], 2 * widths[-1]))
        self.final_conv = nn.Conv2d(widths[0], outputs, 1)
        self.names, self.skip_first = names, skip_first

    def forward(self, x):
        ups, downs = (getattr(self, name) for name in self.names)
        kept = []
        for down in downs:
            kept.append(down.conv(x))
            x = functional.max_pool2d(kept[-1], 2)
        x = self.bottleneck.conv(x)
        for up, block in zip(ups[::2], ups[1::2], strict=True):
            x, skip = up(x), kept.pop()
            x = block.conv(torch.cat([skip, x] if self.skip_first else [x, skip], 1))
        return self.final_conv(x)


class PlainUNet(nn.Module):
    """No norm, widths of its own, interpolated: names that no project has."""

    def __init__(self, inputs, outputs, widths, mode="bilinear"):
        super().__init__()
        self.enter = double(inputs, widths[0], widths[0], norm=False)
        self.deeper = nn.ModuleList(double(a, b + 1, b, norm=False) for a, b in pairwise(widths))
        pairs = pairwise(reversed(widths))
        self.back = nn.ModuleList(double(a + b, b + 2, b, norm=False) for a, b in pairs)
        self.leave = nn.Conv2d(widths[0], outputs, 1, bias=False)
        self.up = nn.Upsample(scale_factor=2, mode=mode)

    def forward(self, x):
        kept = [self.enter(x)]
        for block in self.deeper:
            kept.append(block(functional.max_pool2d(kept[-1], 2)))
        x = kept.pop()
        for block in self.back:
            x = block(torch.cat([self.up(x), kept.pop()], 1))
        return self.leave(x)
