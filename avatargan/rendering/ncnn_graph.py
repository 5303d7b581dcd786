"""Building and running ncnn graphs: a few layers, in full float32, one thread per picture."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import ncnn
import numpy as np
from torch import Tensor

from avatargan.latents import FloatArray

#: First line of every ncnn graph.
MAGIC = "7767517"
INPUT = "input"
OUTPUT = "output"
# Codes of ncnn's layer parameters.
ADD, SUBTRACT, MULTIPLY = 0, 1, 2
BILINEAR = 2


@dataclass
class Graph:
    """An ncnn graph in the making: a line of text for each layer, and the constants in order."""

    lines: list[str] = field(default_factory=list)
    constants: list[bytes] = field(default_factory=list)
    blobs: int = 0

    def input(self, name: str) -> str:
        """Add an input; like all layers it returns the name of what it gives."""
        return self.layer("Input", [], name=name)

    def layer(self, kind: str, inputs: list[str], *options: str, name: str | None = None) -> str:
        """Add a layer with one output, of a kind and with options as ncnn spells them."""
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

    def conv(
        self,
        blob: str,
        kernel: Tensor,
        bias: Tensor | None,
        name: str | None = None,
        *,
        stride: int = 1,
        relu: bool = False,
    ) -> str:
        """Add a "same" convolution with the kernel ``[out, in, K, K]``."""
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
            f"3={stride}",
            f"4={size // 2}",
            f"5={int(bias is not None)}",
            f"6={kernel.numel()}",
            f"9={int(relu)}",
            name=name,
        )

    def prelu(self, blob: str, slopes: Tensor) -> str:
        """Add a ReLU with a slope per channel."""
        self.constants.append(slopes.contiguous().numpy().tobytes())
        return self.layer("PReLU", [blob], f"0={slopes.numel()}")

    def binary(self, operation: int, first: str, second: str, name: str | None = None) -> str:
        """Add :data:`ADD`, :data:`SUBTRACT` or :data:`MULTIPLY` of two blobs."""
        return self.layer("BinaryOp", [first, second], f"0={operation}", name=name)

    def concatenate(self, first: str, second: str) -> str:
        """Put the channels of two blobs one after the other."""
        return self.layer("Concat", [first, second], "0=0")

    def pixel_shuffle(self, blob: str, factor: int) -> str:
        """Turn groups of ``factor * factor`` channels into pixels, as PyTorch does."""
        return self.layer("PixelShuffle", [blob], f"0={factor}")

    def enlarge(self, blob: str, factor: int) -> str:
        """Enlarge bilinearly."""
        return self.layer("Interp", [blob], f"0={BILINEAR}", f"1={factor}.0", f"2={factor}.0")


def compile_graph(graph: Graph) -> ncnn.Net:
    """Give a graph to ncnn; several threads may run what comes back at once."""
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


def run_graph(net: ncnn.Net, inputs: dict[str, FloatArray]) -> FloatArray:
    """Return the blob :data:`OUTPUT` as ``[C, H, W]``, for inputs ``[C, H, W]`` by name."""
    extractor = net.create_extractor()
    # Mats borrow the memory of their arrays: the dictionary keeps that alive until the end.
    for name, array in inputs.items():
        extractor.input(name, ncnn.Mat(array))
    code, output = extractor.extract(OUTPUT)
    if code:
        raise MemoryError(f"ncnn could not finish a picture (code {code}); is there memory left?")
    return np.array(output)
