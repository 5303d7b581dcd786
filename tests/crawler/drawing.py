"""Pictures for the test site: real scenes where they are at hand, drawn ones otherwise."""

import io
import random
from pathlib import Path

from PIL import Image

SCENES = Path(__file__).parents[3] / "shared" / "data" / "scenes"


def drawn(seed: int, side: int = 96, suffix: str = "PNG", quality: int = 90) -> bytes:
    """A picture of soft colour patches; two seeds look nothing alike to a perceptual hash."""
    patches = random.Random(seed).randbytes(8 * 8 * 3)
    picture = Image.frombytes("RGB", (8, 8), patches).resize((side, side), Image.Resampling.BICUBIC)
    content = io.BytesIO()
    picture.save(content, suffix, quality=quality)
    return content.getvalue()


def scenes() -> list[bytes]:
    """The real scenes, or an empty list on a machine without them."""
    paths = sorted(path for path in SCENES.glob("*") if path.suffix in {".jpg", ".png"})
    return [path.read_bytes() for path in paths]
