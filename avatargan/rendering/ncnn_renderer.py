"""Rendering on the CPU with ncnn, whose Winograd convolutions (arXiv 1509.09308) need less than
half the multiplications of PyTorch's direct ones, in full float32.

The networks become ncnn graphs with the kernels as constants; what depends on the picture comes
in as vectors, one number per channel. Two identities keep the passes over the activations few:
the norm of the demodulation is positive, so

    leaky(norm * y + bias) = norm * leaky(y + bias / norm),

and what remains to be multiplied, ``gain * norm``, joins the scale of whatever reads the result.
"""

import functools
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from avatargan.devices import usable_cores
from avatargan.latents import FloatArray
from avatargan.networks import Generator, Upscaler
from avatargan.networks.layers import (
    ACTIVATION_GAIN,
    ACTIVATION_SLOPE,
    EPSILON,
    EqualLinear,
    ModulatedConv2d,
)
from avatargan.networks.recolouring import Parts, RecolouringGenerator
from avatargan.rendering.base import Pixels, finish, resized, to_unit_range
from avatargan.rendering.ncnn_graph import (
    ADD,
    INPUT,
    MULTIPLY,
    OUTPUT,
    Graph,
    compile_graph,
    run_graph,
)
from avatargan.rendering.ncnn_parts import PartsModulation, add_parts, read_scale
from avatargan.sizes import SCALE


class NcnnRenderer:
    """Draws on the CPU, one picture per thread."""

    def __init__(self, generator: Generator, upscaler: Upscaler) -> None:
        self.resolution = generator.resolution
        self.modulation = _Modulation(generator)
        self.generator = compile_graph(_generator_graph(generator))
        self.upscaler = compile_graph(_upscaler_graph(upscaler))
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

    def enlarge(self, image: FloatArray, size: int) -> Pixels:
        """See :meth:`avatargan.rendering.base.Renderer.enlarge`."""
        upscaled = None
        if size > image.shape[-1]:
            # ncnn reads memory as it lies, and other things than C order there are garbled.
            planes = np.ascontiguousarray(to_unit_range(image))
            upscaled = run_graph(self.upscaler, {INPUT: planes})
        return resized(image, upscaled, size)

    def _draw_one(self, w: FloatArray, palette: FloatArray, size: int) -> Pixels:
        image = run_graph(self.generator, self.modulation.vectors(w, palette))
        upscaled = None
        if size != self.resolution:
            upscaled = run_graph(self.upscaler, {INPUT: to_unit_range(image)})
        return finish(image, upscaled, size)


class _Modulation:
    """The per-picture side of the generator: w and palette to scales and biases of channels."""

    def __init__(self, generator: Generator) -> None:
        self.const: FloatArray = generator.const[0].numpy()
        self.blocks = generator.blocks_of_w
        self.layers: list[_ModulatedLayer] = []
        blocks = {int(size): index for index, size in enumerate(generator.blocks)}
        for size, name, conv in modulated_convs(generator):
            sees_palette = generator.sees_palette(size)
            block = blocks[size]
            self.layers.append(_ModulatedLayer.of(size, name, conv, block, sees_palette))
        painter = painter_of(generator)
        self.parts = PartsModulation(painter) if painter is not None else None

    def vectors(self, w: FloatArray, palette: FloatArray) -> dict[str, FloatArray]:
        """Return the inputs of the generator's graph, by name.

        Args:
            w: ``[w_dim]`` or ``[blocks, w_dim]``.
            palette: ``[palette_dim]``.
        """
        per_block = w if w.ndim == 2 else itertools.repeat(w)
        styles = list(itertools.islice(per_block, self.blocks))
        with_palette = [np.concatenate([style, palette]) for style in styles]
        inputs: dict[str, FloatArray] = {}
        pending: FloatArray | None = None  # the gain and norm that the last activation still owes
        for layer in self.layers:
            style = (with_palette if layer.sees_palette else styles)[layer.block]
            scale = layer.affine @ style + layer.affine_bias
            if pending is None:
                inputs[INPUT] = self.const * _per_channel(scale)
            else:
                inputs[f"{layer.name}.scale"] = _per_channel(scale * pending)
            if layer.energy is not None:
                norm = 1 / np.sqrt(layer.energy @ np.square(scale) + EPSILON)
                inputs[f"{layer.name}.bias"] = _per_channel(layer.bias / norm)
                pending = ACTIVATION_GAIN * norm
            elif self.parts is not None and layer.size in self.parts.sizes:
                assert pending is not None
                inputs[read_scale(layer.size)] = _per_channel(pending)
        if self.parts is not None:
            vectors = self.parts.vectors(palette)
            inputs |= {name: _per_channel(vector) for name, vector in vectors.items()}
        return inputs


@dataclass(frozen=True)
class _ModulatedLayer:
    size: int
    name: str
    block: int
    sees_palette: bool
    affine: FloatArray  # [in, style_dim]
    affine_bias: FloatArray  # [in]
    bias: FloatArray  # [out]
    energy: FloatArray | None  # [out, in], where the layer demodulates

    @classmethod
    def of(
        cls, size: int, name: str, conv: ModulatedConv2d, block: int, sees_palette: bool
    ) -> "_ModulatedLayer":
        linear: EqualLinear = conv.affine
        return cls(
            size=size,
            name=name,
            block=block,
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


def painter_of(generator: Generator) -> Parts | None:
    """Return the parts of a generator that paints the palette, where it is one of these."""
    return generator.painter if isinstance(generator, RecolouringGenerator) else None


def _per_channel(vector: FloatArray) -> FloatArray:
    """Shape a vector so that it is broadcast over height and width."""
    return np.ascontiguousarray(vector, dtype=np.float32).reshape(-1, 1, 1)


def _generator_graph(generator: Generator) -> Graph:
    graph = Graph()
    x = graph.input(INPUT)
    image: str | None = None
    painter = painter_of(generator)
    features: dict[int, str] = {}  # what the parts read, by size
    first = True
    convs = list(modulated_convs(generator))
    for size, name, conv in convs:
        last = size == generator.resolution
        kernel = conv.weight * conv.weight_gain
        if not conv.demodulate:
            source = x
            if not last:
                x, source = graph.split(x)
            if painter is not None and size in painter.sizes:
                source, features[size] = graph.split(source)
            scaled = graph.binary(MULTIPLY, source, graph.input(f"{name}.scale"))
            output = OUTPUT if last and painter is None else None
            rgb = graph.conv(scaled, kernel, conv.bias, name=output if image is None else None)
            if image is not None:
                rgb = graph.binary(ADD, rgb, graph.enlarge(image, 2), name=output)
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
    if painter is not None:
        assert image is not None
        add_parts(graph, painter, image, features)
    return graph


def _upscaler_graph(upscaler: Upscaler) -> Graph:
    graph = Graph()
    x, image = graph.split(graph.input(INPUT))
    tensors = upscaler.state_dict()
    parts = ["head", *(f"body.{index}" for index in range(len(upscaler.body)))]
    for index, part in enumerate(parts):
        x = graph.conv(x, tensors[f"{part}.weight"], tensors[f"{part}.bias"])
        x = graph.prelu(x, tensors[f"activations.{index}.weight"])
    x = graph.conv(x, tensors["tail.weight"], tensors["tail.bias"])
    x = graph.pixel_shuffle(x, SCALE)
    graph.binary(ADD, x, graph.enlarge(image, SCALE), name=OUTPUT)
    return graph
