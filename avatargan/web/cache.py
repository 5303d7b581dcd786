"""The folder in which gradio keeps uploads and the pictures of the page: private and bounded."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

PREFIX = "avatargan-app-"
LARGEST_BYTES = 512 * 1024 * 1024
LONGEST_SECONDS = 24 * 3600.0
#: How often the folder is looked through.
INTERVAL_SECONDS = 15.0


class PictureCache:
    """A temporary folder of this process.

    Attributes:
        folder: only this user can read it; it goes when the server stops.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))

    def trim(self, largest: int = LARGEST_BYTES, longest: float = LONGEST_SECONDS) -> int:
        """Delete what is older than ``longest`` seconds, and the oldest while there is too much.

        Returns:
            The bytes that are left.
        """
        files = []
        for path in self.folder.rglob("*"):
            with suppress(OSError):  # gradio deletes files too
                status = path.stat()
                if path.is_file():
                    files.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in files)
        oldest_kept = time.time() - longest
        for changed, size, path in sorted(files):
            if total <= largest and changed >= oldest_kept:
                break
            with suppress(OSError):
                path.unlink(missing_ok=True)
                total -= size
                path.parent.rmdir()  # each file has a folder of its own; others are not empty
        return total

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @asynccontextmanager
    async def kept_small(self) -> AsyncIterator[None]:
        """Trim the folder every few seconds while entered, and remove it afterwards."""
        task = asyncio.create_task(self._trim_for_ever())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await asyncio.to_thread(self.remove)

    async def _trim_for_ever(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            await asyncio.to_thread(self.trim)
