"""The parts of a recolouring generator as layers of an ncnn graph.

As in the rest of the graph, norms and gains of activations join the scale of what reads them:
see :mod:`avatargan.rendering.ncnn_renderer`.
"""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from avatargan.latents import FloatArray
from avatargan.networks.layers import (
    ACTIVATION_GAIN,
    ACTIVATION_SLOPE,
    EPSILON,
    EqualConv2d,
    ModulatedConv2d,
)
from avatargan.networks.recolouring import Part, Parts
from avatargan.rendering.ncnn_graph import ADD, MULTIPLY, OUTPUT, SUBTRACT, Graph


def read_scale(size: int) -> str:
    """Return the name of the input that the features of a size are still to be scaled by."""
    return f"{size}.read.scale"


class PartsModulation:
    """The per-picture side of the parts: the palette to scales and biases of channels."""

    def __init__(self, painter: Parts) -> None:
        self.sizes = painter.sizes
        self.dims = painter.palette_dims
        self.paint = {name: _PartModulation(painter.part(name)) for name in painter.paint}

    def vectors(self, palette: FloatArray) -> dict[str, FloatArray]:
        """Return inputs of the graph by name, for embeddings side by side."""
        inputs: dict[str, FloatArray] = {}
        ends = np.cumsum(list(self.dims.values()))[:-1]
        for (name, part), embedding in zip(
            self.paint.items(), np.split(palette, ends), strict=True
        ):
            for key, vector in part.vectors(embedding).items():
                inputs[f"{name}.{key}"] = vector
        return inputs


class _PartModulation:
    def __init__(self, part: Part) -> None:
        self.shade = _affine(part.shade)
        self.to_rgb = _affine(part.to_rgb)
        self.bias: FloatArray = part.shade.bias.numpy()
        self.energy: FloatArray = part.shade.kernel_energy().numpy()

    def vectors(self, embedding: FloatArray) -> dict[str, FloatArray]:
        shade, rgb = (weight @ embedding + bias for weight, bias in (self.shade, self.to_rgb))
        norm = 1 / np.sqrt(self.energy @ np.square(shade) + EPSILON)
        return {
            "shade.scale": shade * np.float32(ACTIVATION_GAIN),
            "shade.bias": self.bias / norm,
            "to_rgb.scale": rgb * norm * np.float32(ACTIVATION_GAIN),
        }


def _affine(conv: ModulatedConv2d) -> tuple[FloatArray, FloatArray]:
    linear = conv.affine
    return (
        (linear.weight * linear.weight_gain).numpy(),
        (linear.bias * linear.lr_mul).numpy(),
    )


def add_parts(graph: Graph, painter: Parts, image: str, features: Mapping[int, str]) -> None:
    """Add the layers that paint ``image``, and name the last one the output.

    Args:
        graph: of the blocks.
        painter: the parts.
        image: what the blocks drew.
        features: what they still owe the parts, by size.
    """
    image, seen = graph.split(image)
    x: str | None = None
    for size in painter.sizes:
        scaled = graph.binary(MULTIPLY, features[size], graph.input(read_scale(size)))
        read = _conv(graph, scaled, painter.reader(size))
        x = read if x is None else graph.binary(ADD, graph.enlarge(x, 2), read)
    assert x is not None
    x = graph.binary(ADD, x, _conv(graph, seen, painter.read_image))
    x = _leaky(graph, _conv(graph, _leaky(graph, x), painter.look, gain=ACTIVATION_GAIN))
    last = len(painter.paint) - 1
    for index, name in enumerate(painter.paint):
        x, found = graph.split(x)
        if index < last:
            x, shaded = graph.split(x)
        else:
            shaded = x
        kernel, bias = painter.find.weight, painter.find.bias
        rows = slice(index, index + 1)
        score = graph.conv(
            found,
            kernel[rows] * painter.find.weight_gain * ACTIVATION_GAIN,
            bias[rows] if bias is not None else None,
        )
        mask = graph.layer("Sigmoid", [score])
        painted = _paint(graph, name, painter.part(name), shaded)
        image, before = graph.split(image)
        difference = graph.binary(MULTIPLY, graph.binary(SUBTRACT, painted, before), mask)
        image = graph.binary(ADD, image, difference, name=OUTPUT if index == last else None)


def _paint(graph: Graph, name: str, part: Part, x: str) -> str:
    shade, to_rgb = part.shade, part.to_rgb
    x = graph.binary(MULTIPLY, x, graph.input(f"{name}.shade.scale"))
    x = graph.conv(x, shade.weight * shade.weight_gain, None)
    x = graph.binary(ADD, x, graph.input(f"{name}.shade.bias"))
    x = graph.binary(MULTIPLY, _leaky(graph, x), graph.input(f"{name}.to_rgb.scale"))
    return graph.conv(x, to_rgb.weight * to_rgb.weight_gain, to_rgb.bias)


def _conv(graph: Graph, blob: str, conv: EqualConv2d, gain: float = 1.0) -> str:
    kernel: Tensor = conv.weight * conv.weight_gain * gain
    return graph.conv(blob, kernel, conv.bias)


def _leaky(graph: Graph, blob: str) -> str:
    """Add the activation without its gain, which whoever reads it has to bring."""
    return graph.layer("ReLU", [blob], f"0={ACTIVATION_SLOPE}")
