"""Rendering on the CPU with ncnn, whose Winograd convolutions (arXiv 1509.09308) need less than
half the multiplications of PyTorch's direct ones, in full float32.

The networks become ncnn graphs with the kernels as constants; what depends on the picture comes
in as vectors, one number per channel. Two identities keep the passes over the activations few:
the norm of the demodulation is positive, so

    leaky(norm * y + bias) = norm * leaky(y + bias / norm),

and what remains to be multiplied, ``gain * norm``, joins the scale of whatever reads the result.
"""

import functools
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import ncnn
import numpy as np
from torch import Tensor

from avatargan.devices import usable_cores
from avatargan.latents import FloatArray
from avatargan.networks import Generator, Upscaler
from avatargan.networks.generator import PALETTE_FROM_SIZE
from avatargan.networks.layers import (
    ACTIVATION_GAIN,
    ACTIVATION_SLOPE,
    EPSILON,
    EqualLinear,
    ModulatedConv2d,
)
from avatargan.rendering.base import Pixels, finish, to_unit_range
from avatargan.sizes import SCALE

#: First line of every ncnn graph.
MAGIC = "7767517"
INPUT = "input"
OUTPUT = "output"
# Codes of ncnn's layer parameters.
ADD, MULTIPLY = 0, 2
BILINEAR = 2


class NcnnRenderer:
    """Draws on the CPU, one picture per thread."""

    def __init__(self, generator: Generator, upscaler: Upscaler) -> None:
        self.resolution = generator.resolution
        self.modulation = _Modulation(generator)
        self.generator = _compile(_generator_graph(generator))
        self.upscaler = _compile(_upscaler_graph(upscaler))
        self.threads = usable_cores()
        # Twice the threads keeps all of them busy while a caller saves what is done.
        self.chunk = 2 * self.threads
        self.pool = ThreadPoolExecutor(self.threads, thread_name_prefix="ncnn")
        self.description = f"ncnn on {self.threads} CPU threads"

    def draw(self, w: Tensor, palette: Tensor, size: int) -> Pixels:
        """See :meth:`avatargan.rendering.base.Renderer.draw`."""
        draw = functools.partial(self._draw_one, size=size)
        pictures = list(self.pool.map(draw, w.numpy(), palette.numpy()))
        return np.stack(pictures) if pictures else np.zeros((0, size, size, 3), np.uint8)

    def _draw_one(self, w: FloatArray, palette: FloatArray, size: int) -> Pixels:
        image = _run(self.generator, self.modulation.vectors(w, palette))
        upscaled = None
        if size != self.resolution:
            upscaled = _run(self.upscaler, {INPUT: to_unit_range(image)})
        return finish(image, upscaled, size)


class _Modulation:
    """The per-picture side of the generator: w and palette to scales and biases of channels."""

    def __init__(self, generator: Generator) -> None:
        self.const: FloatArray = generator.const[0].numpy()
        self.layers: list[_ModulatedLayer] = []
        for size, name, conv in modulated_convs(generator):
            sees_palette = size >= PALETTE_FROM_SIZE
            self.layers.append(_ModulatedLayer.of(name, conv, sees_palette))

    def vectors(self, w: FloatArray, palette: FloatArray) -> dict[str, FloatArray]:
        """Return the inputs of the generator's graph, by name."""
        w_and_palette = np.concatenate([w, palette])
        inputs: dict[str, FloatArray] = {}
        pending: FloatArray | None = None  # the gain and norm that the last activation still owes
        for layer in self.layers:
            scale = layer.affine @ (w_and_palette if layer.sees_palette else w) + layer.affine_bias
            if pending is None:
                inputs[INPUT] = self.const * _per_channel(scale)
            else:
                inputs[f"{layer.name}.scale"] = _per_channel(scale * pending)
            if layer.energy is not None:
                norm = 1 / np.sqrt(layer.energy @ np.square(scale) + EPSILON)
                inputs[f"{layer.name}.bias"] = _per_channel(layer.bias / norm)
                pending = ACTIVATION_GAIN * norm
        return inputs


@dataclass(frozen=True)
class _ModulatedLayer:
    name: str
    sees_palette: bool
    affine: FloatArray  # [in, style_dim]
    affine_bias: FloatArray  # [in]
    bias: FloatArray  # [out]
    energy: FloatArray | None  # [out, in], where the layer demodulates

    @classmethod
    def of(cls, name: str, conv: ModulatedConv2d, sees_palette: bool) -> "_ModulatedLayer":
        linear: EqualLinear = conv.affine
        return cls(
            name=name,
            sees_palette=sees_palette,
            affine=(linear.weight * linear.weight_gain).numpy(),
            affine_bias=(linear.bias * linear.lr_mul).numpy(),
            bias=conv.bias.numpy(),
            energy=conv.kernel_energy().numpy() if conv.demodulate else None,
        )


def modulated_convs(generator: Generator) -> Iterator[tuple[int, str, ModulatedConv2d]]:
    """Yield the modulated convolutions in the order in which they run: size, name, layer."""
    for size, block in generator.blocks.items():
        for part in ("conv0", "conv1", "to_rgb"):
            yield int(size), f"{size}.{part}", getattr(block, part)


def _per_channel(vector: FloatArray) -> FloatArray:
    """Shape a vector so that it is broadcast over height and width."""
    return np.ascontiguousarray(vector, dtype=np.float32).reshape(-1, 1, 1)


@dataclass
class _Graph:
    """An ncnn graph in the making: a line of text for each layer, and the constants in order."""

    lines: list[str] = field(default_factory=list)
    constants: list[bytes] = field(default_factory=list)
    blobs: int = 0

    def input(self, name: str) -> str:
        return self.layer("Input", [], name=name)

    def layer(self, kind: str, inputs: list[str], *options: str, name: str | None = None) -> str:
        output = name or f"blob{self.blobs}"
        self.blobs += 1
        self.lines.append(
            f"{kind} layer{len(self.lines)} {len(inputs)} 1 {' '.join([*inputs, output, *options])}"
        )
        return output

    def split(self, blob: str) -> tuple[str, str]:
        """Let two layers read one blob, which ncnn wants to be told."""
        first, second = f"{blob}.first", f"{blob}.second"
        self.blobs += 2
        self.lines.append(f"Split layer{len(self.lines)} 1 2 {blob} {first} {second}")
        return first, second

    def conv(self, blob: str, kernel: Tensor, bias: Tensor | None, name: str | None = None) -> str:
        out_channels, _, size, _ = kernel.shape
        # A zero flag says that plain float32 follows.
        self.constants.append(bytes(4) + kernel.contiguous().numpy().tobytes())
        if bias is not None:
            self.constants.append(bias.contiguous().numpy().tobytes())
        return self.layer(
            "Convolution",
            [blob],
            f"0={out_channels}",
            f"1={size}",
            f"4={size // 2}",
            f"5={int(bias is not None)}",
            f"6={kernel.numel()}",
            name=name,
        )

    def prelu(self, blob: str, slopes: Tensor) -> str:
        self.constants.append(slopes.contiguous().numpy().tobytes())
        return self.layer("PReLU", [blob], f"0={slopes.numel()}")

    def binary(self, operation: int, first: str, second: str, name: str | None = None) -> str:
        return self.layer("BinaryOp", [first, second], f"0={operation}", name=name)

    def enlarge(self, blob: str, factor: int) -> str:
        return self.layer("Interp", [blob], f"0={BILINEAR}", f"1={factor}.0", f"2={factor}.0")


def _generator_graph(generator: Generator) -> _Graph:
    graph = _Graph()
    x = graph.input(INPUT)
    image: str | None = None
    first = True
    convs = list(modulated_convs(generator))
    for size, name, conv in convs:
        last = size == generator.resolution
        kernel = conv.weight * conv.weight_gain
        if not conv.demodulate:
            source = x
            if not last:
                x, source = graph.split(x)
            scaled = graph.binary(MULTIPLY, source, graph.input(f"{name}.scale"))
            rgb_name = OUTPUT if last and image is None else None
            rgb = graph.conv(scaled, kernel, conv.bias, name=rgb_name)
            if image is not None:
                rgb = graph.binary(ADD, rgb, graph.enlarge(image, 2), name=OUTPUT if last else None)
            image = rgb
            continue
        if not first:  # the first layer's scale is in the constant already
            x = graph.binary(MULTIPLY, x, graph.input(f"{name}.scale"))
        first = False
        x = graph.conv(x, kernel, None)
        x = graph.binary(ADD, x, graph.input(f"{name}.bias"))
        if conv.upsample:
            x = graph.enlarge(x, 2)
        x = graph.layer("ReLU", [x], f"0={ACTIVATION_SLOPE}")
    return graph


def _upscaler_graph(upscaler: Upscaler) -> _Graph:
    graph = _Graph()
    x, image = graph.split(graph.input(INPUT))
    tensors = upscaler.state_dict()
    parts = ["head", *(f"body.{index}" for index in range(len(upscaler.body)))]
    for index, part in enumerate(parts):
        x = graph.conv(x, tensors[f"{part}.weight"], tensors[f"{part}.bias"])
        x = graph.prelu(x, tensors[f"activations.{index}.weight"])
    x = graph.conv(x, tensors["tail.weight"], tensors["tail.bias"])
    x = graph.layer("PixelShuffle", [x], f"0={SCALE}")
    graph.binary(ADD, x, graph.enlarge(image, SCALE), name=OUTPUT)
    return graph


def _compile(graph: _Graph) -> ncnn.Net:
    net = ncnn.Net()
    net.opt.num_threads = 1  # pictures run side by side instead
    net.opt.lightmode = True
    # Half precision would move pixels by several steps of 255.
    net.opt.use_fp16_packed = False
    net.opt.use_fp16_storage = False
    net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    # ncnn's Python binding reads constants from files only.
    with tempfile.TemporaryDirectory(prefix="avatargan-") as folder:
        structure, constants = Path(folder, "graph.param"), Path(folder, "graph.bin")
        header = [MAGIC, f"{len(graph.lines)} {graph.blobs}"]
        structure.write_text("\n".join([*header, *graph.lines, ""]))
        constants.write_bytes(b"".join(graph.constants))
        if net.load_param(str(structure)) or net.load_model(str(constants)):
            raise RuntimeError("ncnn did not accept the graph of these networks")
    return net


def _run(net: ncnn.Net, inputs: dict[str, FloatArray]) -> FloatArray:
    """Return the output ``[3, H, W]``."""
    extractor = net.create_extractor()
    # Mats borrow the memory of their arrays: the dictionary keeps that alive until the end.
    for name, array in inputs.items():
        extractor.input(name, ncnn.Mat(array))
    code, output = extractor.extract(OUTPUT)
    if code:
        raise MemoryError(f"ncnn could not finish a picture (code {code}); is there memory left?")
    return np.array(output)
