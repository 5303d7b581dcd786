"""``avatargan info``: weights, taxonomy, sizes, device and versions."""

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from avatargan.cli.options import (
    DeviceOption,
    EngineOption,
    JsonOption,
    UpscalerOption,
    WeightsOption,
    examples,
)
from avatargan.cli.output import show, show_json
from avatargan.devices import available_devices, choose_engine, usable_cores
from avatargan.sizes import sizes_for
from avatargan.version import __version__
from avatargan.weights_header import (
    GENERATOR_ROLE,
    SHIPPED_GENERATOR,
    SHIPPED_UPSCALER,
    UPSCALER_ROLE,
    WeightsHeader,
    read_header,
    shipped_weights,
)

EXAMPLES = examples(
    "avatargan info",
    "avatargan info --weights my-weights.safetensors --json",
)
PACKAGES = ("torch", "ncnn", "numpy", "pillow", "gradio")


def info(
    weights: WeightsOption = None,
    upscaler: UpscalerOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
    json: JsonOption = False,
) -> None:
    """Show the weights, their attributes and sizes, the device, and versions."""
    facts = _gather(weights, upscaler, device, engine)
    if json:
        show_json(facts)
    else:
        show(_format(facts))


def _gather(
    weights: Path | None, upscaler: Path | None, device: str, engine: str
) -> dict[str, Any]:
    generator = read_header(weights or shipped_weights(SHIPPED_GENERATOR), GENERATOR_ROLE)
    device, engine = choose_engine(device, engine, generator.architecture)
    enlarger = read_header(upscaler or shipped_weights(SHIPPED_UPSCALER), UPSCALER_ROLE)
    taxonomy = generator.attributes
    return {
        "version": __version__,
        "weights": _describe_file(generator),
        "upscaler": _describe_file(enlarger),
        "attributes": {
            name: {
                "choices": taxonomy.offered(name),
                "default": taxonomy.default(name),
                "experimental": taxonomy.experimental(name),
            }
            for name in taxonomy
        },
        "sizes": sizes_for(generator.integer("resolution")),
        "device": device,
        "engine": engine,
        "available_devices": available_devices(),
        "cpu_cores": usable_cores(),
        "python": platform.python_version(),
        "packages": {name: _installed_version(name) for name in PACKAGES},
    }


def _describe_file(header: WeightsHeader) -> dict[str, Any]:
    return {
        "path": str(header.path.resolve()),
        "sha256": hashlib.sha256(header.path.read_bytes()).hexdigest(),
        "parameters": header.parameters,
    }


def _format(facts: dict[str, Any]) -> str:
    rows = [("avatargan", facts["version"])]
    for key in ("weights", "upscaler"):
        file = facts[key]
        rows.append((key, file["path"]))
        rows.append(("", f"{file['parameters'] / 1e6:.2f} million parameters"))
        rows.append(("", f"SHA-256 {file['sha256']}"))
    for name, attribute in facts["attributes"].items():
        marked = attribute["experimental"]
        words = (f"{c} (experimental)" if c in marked else c for c in attribute["choices"])
        rows.append((name, ", ".join(words)))
        rows.append(("", f"default: {attribute['default']}"))
    rows.append(("sizes", ", ".join(f"{size} px" for size in facts["sizes"])))
    cores = f" ({facts['cpu_cores']} cores)" if facts["device"] == "cpu" else ""
    rows.append(("device", f"{facts['device']}{cores}, drawing with {facts['engine']}"))
    rows.append(("python", facts["python"]))
    rows.extend((name, number or "not installed") for name, number in facts["packages"].items())
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"{label:>{width}}  {value}" for label, value in rows)


def _installed_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
