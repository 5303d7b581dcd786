"""The networks as ONNX models, for engines other than PyTorch, browsers among them.

Weights are stored as fp16, which is what their files hold, and cast to float32 as a model is
loaded: all arithmetic is in float32. What belongs to the weights beside networks (the taxonomy,
the centres of truncation, the embeddings of the palette) is in ``models.json``.
"""

import hashlib
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from avatargan.attributes import UNKNOWN
from avatargan.errors import MissingExtraError, OptionError
from avatargan.files import write_atomically
from avatargan.networks import ConditionalGenerator, load_upscaler
from avatargan.networks.loading import generator_from_weights
from avatargan.sizes import sizes_for
from avatargan.version import __version__
from avatargan.weights import read_weights
from avatargan.weights_header import GENERATOR_ROLE, SHIPPED_GENERATOR, shipped_weights

#: Of ONNX; every engine of the last years has it.
OPSET = 17
#: What tells a reader what the other files are.
INDEX = "models.json"


@dataclass(frozen=True)
class Model:
    """A network to be exported.

    Attributes:
        network: maps the inputs to one output.
        inputs: an example of each input, by name; the first axis of all is the batch.
        output: the name of the output.
        what: what it does, for readers of the index.
    """

    network: nn.Module
    inputs: Mapping[str, Tensor]
    output: str
    what: str


def export_onnx(
    folder: str | Path,
    weights: str | Path | None = None,
    *,
    only: Sequence[str] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write the networks of a generator, and what stands around them, as ONNX models.

    Args:
        folder: where to; made if it is missing.
        weights: a generator's ``.safetensors``; the shipped one by default.
        only: names of :func:`models`; all by default.
        overwrite: whether files of these names are replaced.

    Returns:
        The files, the index last.

    Raises:
        MissingExtraError: the package ``onnx`` is not installed.
        WeightsError: the weights cannot be used.
        OptionError: there is no such model.
        OutputError: a file exists already (unless ``overwrite``), or cannot be written.
    """
    file = read_weights(weights or shipped_weights(SHIPPED_GENERATOR), GENERATOR_ROLE)
    generator = generator_from_weights(file)
    available = models(generator)
    wanted = list(available) if only is None else list(only)
    for name in wanted:
        if name not in available:
            raise OptionError(f"there is no model '{name}' (models: {', '.join(available)})")
    paths, described = [], {}
    for name in wanted:
        model = available[name]
        content = onnx_bytes(model)
        path = Path(folder) / f"{name}.onnx"
        write_atomically(path, content, overwrite=overwrite)
        paths.append(path)
        described[name] = {
            "file": path.name,
            "what": model.what,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "inputs": {
                name: ["batch", *example.shape[1:]] for name, example in model.inputs.items()
            },
            "output": model.output,
        }
    index = describe(generator, file.sha256) | {"opset": OPSET, "models": described}
    path = Path(folder) / INDEX
    write_atomically(path, json.dumps(index, indent=1).encode(), overwrite=overwrite)
    return [*paths, path]


def models(generator: ConditionalGenerator) -> dict[str, Model]:
    """Return what can be exported of a generator and of the networks around it, by name."""
    # Imported here: matting and tagging are not needed by whoever describes a generator only.
    from avatargan.matting.loading import load_network as load_matting
    from avatargan.matting.network import SIZES

    generator = generator.eval()
    side = generator.resolution
    z = {"z": torch.randn(2, generator.z_dim)}
    if generator.attributes.identity is not None:
        z[generator.attributes.identity] = torch.zeros(2, dtype=torch.int64)
    found = {
        "mapping": Model(generator.mapping, z, "w", "z and style to w, not truncated"),
        "synthesis": Model(
            _Synthesis(generator),
            {
                "w": torch.randn(2, generator.blocks_of_w, generator.w_dim),
                "palette": torch.randn(2, generator.palette_dim),
            },
            "image",
            f"truncated w of each block and palette embeddings to pictures of {side} px in [-1, 1]",
        ),
        "upscaler": Model(
            load_upscaler(None).eval(),
            {"image": torch.rand(2, 3, side, side)},
            "upscaled",
            "pictures in [0, 1] to four times the size",
        ),
    }
    matting = load_matting()
    for size in sorted(set(SIZES) & set(sizes_for(side))):
        found[f"matting-{size}"] = Model(
            matting,
            {"image": torch.rand(2, 3, size, size)},
            "logits",
            f"pictures in [0, 1] of {size} px to logits of alpha",
        )
    return found


def describe(generator: ConditionalGenerator, weights_sha256: str) -> dict[str, Any]:
    """Return what drawing needs beside the networks, as JSON can hold it."""
    attributes = generator.attributes
    return {
        "version": __version__,
        "weights_sha256": weights_sha256,
        "resolution": generator.resolution,
        "sizes": list(sizes_for(generator.resolution)),
        "z_dim": generator.z_dim,
        "w_dim": generator.w_dim,
        "blocks": generator.blocks_of_w,
        "attributes": {name: list(choices) for name, choices in attributes.items()},
        "identity": attributes.identity,
        "unknown": UNKNOWN,
        "excluded_from_any": {name: list(attributes.experimental(name)) for name in attributes},
        "w_mean": _rows(generator.w_mean),
        "embeddings": {name: _rows(_table(generator, name)) for name in attributes.palette},
    }


def onnx_bytes(model: Model) -> bytes:
    """Return the ONNX file of a model: weights in fp16, arithmetic in float32, any batch size.

    Raises:
        MissingExtraError: the package ``onnx`` is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError(
            "ONNX models need the package onnx; 'pip install onnx' adds it"
        ) from error
    buffer = io.BytesIO()
    axes = {name: {0: "batch"} for name in (*model.inputs, model.output)}
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter that traces: a second for what its successor takes minutes to compile, and
        # the batch stays free.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.network,
            tuple(model.inputs.values()),
            buffer,  # type: ignore[arg-type]  # this exporter takes files, too
            dynamo=False,
            opset_version=OPSET,
            input_names=list(model.inputs),
            output_names=[model.output],
            dynamic_axes=axes,
            # Folded by the engine as it loads: a folded kernel would not fit fp16 exactly.
            do_constant_folding=False,
        )
    proto = onnx.load_from_string(buffer.getvalue())
    _store_halves(proto.graph)
    proto.producer_name, proto.producer_version = "avatargan", __version__
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


class _Synthesis(nn.Module):
    def __init__(self, generator: ConditionalGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, w: Tensor, palette: Tensor) -> Tensor:
        return self.generator.synthesis_from_embedding(w, palette)


def _table(generator: ConditionalGenerator, name: str) -> Tensor:
    weight = generator.embed[name].weight
    assert isinstance(weight, Tensor)
    return weight


def _rows(table: Tensor) -> list[list[float]]:
    # As float32 in the shortest spelling that reads back as the same number.
    return [[float(str(value)) for value in row] for row in table.detach().numpy()]


def _store_halves(graph: Any) -> None:
    """Store float32 weights that fp16 holds exactly as fp16, each behind a cast to float32."""
    import onnx
    from onnx import helper, numpy_helper

    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            halves = values.astype(np.float16)
        if values.size < 16 or not np.array_equal(halves.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(halves, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
