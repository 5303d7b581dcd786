"""What has to be settled before gradio is imported: no analytics, a private folder, a fast start.

gradio reads its environment variables while it is imported, so the server calls
:func:`prepare` first and imports gradio afterwards.
"""

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

SETTINGS = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "GRADIO_MCP_SERVER": "False",
    "GRADIO_SSR_MODE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
}
FOLDER_VARIABLE = "GRADIO_TEMP_DIR"

_INTERNET = (socket.AF_INET, socket.AF_INET6)


def prepare(folder: Path) -> None:
    """Set gradio up to keep its files in ``folder`` and to speak to nobody.

    Args:
        folder: where uploads and the pictures of the page go; gradio's own choice is one folder
            under /tmp that all users of the machine share.
    """
    os.environ.update(SETTINGS)
    os.environ[FOLDER_VARIABLE] = str(folder)
    if "gradio" not in sys.modules and not any(
        isinstance(finder, _WithoutInterfaceFiles) for finder in sys.meta_path
    ):
        sys.meta_path.insert(0, _WithoutInterfaceFiles())


@contextmanager
def collector_paused() -> Iterator[None]:
    """Import and build without searching for garbage, of which there is hardly any.

    What is alive afterwards stays so until the end, and is not searched again either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class OutgoingConnections:
    """Keeps the whole process from opening connections while it is entered.

    gradio fetches the address that a client names in place of an uploaded file, and streams it
    back under ``/gradio_api/file=``; its check of the address lets some private networks pass.
    A server that draws has no reason to connect to anything, and an audit hook sees every way of
    trying, whichever library it is in.
    """

    _refused = False
    _installed = False

    def __enter__(self) -> None:
        if not OutgoingConnections._installed:
            sys.addaudithook(_audit)  # hooks cannot be removed, only told to look away
            OutgoingConnections._installed = True
        OutgoingConnections._refused = True

    def __exit__(self, *_: object) -> None:
        OutgoingConnections._refused = False


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not event.startswith("socket.") or not OutgoingConnections._refused:
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        refused = arguments[0].family in _INTERNET and arguments[1] is not None
    else:  # asking a name server is a message to the outside as well
        refused = event in ("socket.getaddrinfo", "socket.gethostbyname")
    if refused:
        raise PermissionError("the avatargan server opens no connections to anywhere")


class _WithoutInterfaceFiles(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports gradio without its rewriting of ``.pyi`` files, which is for editors alone.

    While it is imported, gradio parses the source of each of its components in order to bring
    interface files beside them up to date: nearly half of the time that its import takes.
    """

    MODULE = "gradio.component_meta"

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self.MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        self.loader = spec.loader
        spec.loader = self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        if hasattr(module, "create_or_modify_pyi"):
            module.create_or_modify_pyi = lambda *_, **__: None  # type: ignore[attr-defined]
