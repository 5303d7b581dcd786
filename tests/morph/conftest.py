import shutil
from collections.abc import Callable, Sequence

import pytest
from PIL import Image

from avatargan import AvatarPipeline
from avatargan.morph import Clip

#: Too long a note for one block of a GIF, with everything that formats like to trip over.
METADATA = '{"note": "a=b; #c \\\\ \\u3042", "long": "' + "x" * 300 + '"}'


@pytest.fixture(scope="session")
def pipeline() -> AvatarPipeline:
    return AvatarPipeline.load()


@pytest.fixture
def make_clip() -> Callable[..., Clip]:
    def make(
        pictures: Sequence[Image.Image], *, fps: float = 12, loop: bool = True, **changes: object
    ) -> Clip:
        return Clip(
            **{
                "frames": iter(pictures),
                "samples": lambda count: list(pictures)[:count],
                "count": len(pictures),
                "fps": fps,
                "size": pictures[0].width,
                "loop": loop,
                "transparent": pictures[0].mode == "RGBA",
                "metadata": METADATA,
            }
            | changes
        )

    return make


@pytest.fixture
def ffprobe() -> str:
    found = shutil.which("ffprobe")
    if found is None:
        pytest.skip("ffprobe is not installed (Debian: apt-get install ffmpeg)")
    return found


@pytest.fixture
def webpmux() -> str:
    found = shutil.which("webpmux")
    if found is None:
        pytest.skip("webpmux is not installed (Debian: apt-get install webp)")
    return found
