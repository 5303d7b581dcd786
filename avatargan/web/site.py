"""The static site: the page, the models it draws with, and the engine that runs them.

What is written is a folder of files for any static host. Nothing in it asks another host for
anything, and every address is relative, so that it works under any path.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from avatargan.errors import MissingExtraError, OptionError, OutputError
from avatargan.files import atomic_folder, user_cache_folder
from avatargan.onnx_export import INDEX, export_onnx
from avatargan.pipeline import AvatarPipeline
from avatargan.version import __version__
from avatargan.web.page_files import CONTENT_SECURITY_POLICY, FOLDER
from avatargan.weights_header import SHIPPED_DIRECTIONS, shipped_weights

#: What the site's folder says of itself, so that it is replaced by nothing but another site.
LIST = "files.json"

RUNTIME = "onnxruntime-web"
RUNTIME_VERSION = "1.30.0"
#: Of the package's archive, as npm's lock files have it.
RUNTIME_SHA512 = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
RUNTIME_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
#: Drawn beforehand: something to look at before the models have arrived.
WELCOME_SEEDS = range(1, 13)
WELCOME_SIZE = 256
MODELS = ("mapping", "synthesis", "upscaler")


@dataclass(frozen=True)
class SiteFile:
    """A file of the site.

    Attributes:
        path: from the site's folder, with slashes.
        bytes: its length.
        sha256: of its content.
    """

    path: str
    bytes: int
    sha256: str


def build_site(
    out: str | Path,
    weights: str | Path | None = None,
    *,
    runtime: str | Path | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> list[SiteFile]:
    """Write the site into a folder, which is replaced as a whole if it is a site already.

    Args:
        out: the folder.
        weights: a generator's ``.safetensors``; the shipped one by default.
        runtime: the archive of :data:`RUNTIME` as npm packs it; npm is asked for it by default,
            once.
        progress: told what is being done, in words.

    Returns:
        The files that were written.

    Raises:
        OptionError: the folder is there and is no site, or the archive is not the expected one.
        WeightsError: the weights cannot be used.
        MissingExtraError: ``onnx`` is not installed, or there is neither npm nor an archive.
        OutputError: the folder cannot be written.
    """
    out = Path(out)
    if out.exists() and not (out / LIST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise OptionError(
            f"{out} is there already and is no site of avatargan; name another folder"
        )
    progress(f"the engine, {RUNTIME} {RUNTIME_VERSION}")
    archive = Path(runtime) if runtime is not None else fetch_runtime()
    engine = read_runtime(archive)
    with atomic_folder(out) as folder:
        progress("the page")
        copy_page(folder)
        for name, content in engine.items():
            _write(folder / "runtime" / name, content)
        progress("the models")
        export_onnx(folder / "models", weights, only=MODELS)
        pipe = AvatarPipeline.load(weights)
        add_sliders(folder / "models", pipe)
        progress("the first pictures")
        draw_welcome(folder / "welcome", pipe)
        files = list(_list(folder))
        build = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()
        name_build(folder / "service-worker.js", build)
        listing = {
            "version": __version__,
            "files": [file.__dict__ for file in files],
            "build": build,
        }
        _write(folder / LIST, json.dumps(listing, indent=1).encode())
        _write(folder / ".nojekyll", b"")  # hosts that leave out files with an underscore
    return files


def copy_page(folder: Path) -> None:
    """Copy the page's modules, with the browser itself as what draws."""
    shutil.copytree(
        FOLDER, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "backends" / "server.js").unlink()
    shutil.copy(Path(__file__).parent / "site_files" / "service-worker.js", folder)
    index = folder / "index.html"
    text = index.read_text()
    server, browser = "./backends/server.js", "./backends/browser.js"
    assert server in text, "the page names what draws"
    text = text.replace(server, browser).replace("; the same is to be had over HTTP, at /docs", "")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{site_policy()}" />'
    index.write_text(
        text.replace('<meta charset="utf-8" />', f'<meta charset="utf-8" />\n    {policy}')
    )


def site_policy() -> str:
    """Return the app's policy, and that the page may compile the engine and have a worker."""
    kept = [part for part in CONTENT_SECURITY_POLICY.split("; ") if "frame-ancestors" not in part]
    policy = "; ".join([*kept, "worker-src 'self'"])
    return policy.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")


def name_build(worker: Path, build: str) -> None:
    """Put the build's name into the service worker: browsers take a worker that differs."""
    text = worker.read_text()
    assert 'const BUILD = "unset";' in text, "the service worker has a place for the build"
    worker.write_text(text.replace('const BUILD = "unset";', f'const BUILD = "{build[:16]}";'))


def add_sliders(models: Path, pipe: AvatarPipeline) -> None:
    """Add the sliders of these weights, if there are any, to the models and their index."""
    try:
        directions = pipe.directions
    except OptionError:
        return
    content = shipped_weights(SHIPPED_DIRECTIONS).read_bytes()
    _write(models / SHIPPED_DIRECTIONS, content)
    index = json.loads((models / INDEX).read_text())
    index["directions"] = {
        "file": SHIPPED_DIRECTIONS,
        "bytes": len(content),
        "sha256": directions.sha256,
        "sliders": [
            {"name": one.name, "min": one.minimum, "max": one.maximum, "names": dict(one.names)}
            for one in directions.values()
        ],
    }
    _write(models / INDEX, json.dumps(index, indent=1).encode())


def draw_welcome(folder: Path, pipe: AvatarPipeline) -> None:
    """Draw the pictures that a visitor sees first."""
    names = []
    size = min(pipe.sizes, key=lambda size: abs(size - WELCOME_SIZE))
    for avatar in pipe.draw(pipe.recipes(WELCOME_SEEDS, size=size)):
        names.append(f"{avatar.recipe.seed}.png")
        _write(folder / names[-1], avatar.to_png())
    _write(folder / "welcome.json", json.dumps(names).encode())


def fetch_runtime() -> Path:
    """Return the engine's archive, which npm fetches the first time.

    Raises:
        MissingExtraError: npm is not installed.
        OutputError: it could not fetch it.
    """
    kept = user_cache_folder("site") / f"{RUNTIME}-{RUNTIME_VERSION}.tgz"
    if kept.is_file():
        return kept
    npm = shutil.which("npm")
    if npm is None:
        raise MissingExtraError(
            f"the site runs on {RUNTIME} {RUNTIME_VERSION}, and npm is not here to fetch it; "
            f"install Node.js, or fetch it elsewhere with 'npm pack {RUNTIME}@{RUNTIME_VERSION}' "
            "and name the file with --runtime"
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        done = subprocess.run(
            [npm, "pack", f"{RUNTIME}@{RUNTIME_VERSION}", "--silent"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        packed = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(packed) != 1:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise OutputError(f"npm could not fetch {RUNTIME}@{RUNTIME_VERSION}: {reason}")
        packed[0].replace(kept)
    return kept


def read_runtime(archive: Path) -> dict[str, bytes]:
    """Return the files of the engine that the site needs, by name.

    Raises:
        OptionError: the archive is missing, or is not the one that was tested.
    """
    try:
        content = archive.read_bytes()
    except OSError as error:
        raise OptionError(f"{archive}: {error.strerror}") from error
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != RUNTIME_SHA512:
        raise OptionError(f"{archive} is not {RUNTIME} {RUNTIME_VERSION} as npm packs it")
    with tarfile.open(archive) as packed:
        found = {
            name: packed.extractfile(f"package/dist/{name}").read()  # type: ignore[union-attr]
            for name in RUNTIME_FILES
        }
    return found


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _list(folder: Path) -> Iterator[SiteFile]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            relative = PurePosixPath(path.relative_to(folder).as_posix())
            yield SiteFile(str(relative), len(content), hashlib.sha256(content).hexdigest())
