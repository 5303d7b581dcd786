"""MP4: H.264 video for players, chats and sites; no alpha, and no flag that says "loop".

Encoded by the ffmpeg binary that the package imageio-ffmpeg brings.
"""

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import BinaryIO

from avatargan.errors import MissingExtraError, OptionError, OutputError
from avatargan.morph.clip import Clip

#: Looks like the original; 23, the encoder's default, loses fine lines.
QUALITY = 18
PRESET = "fast"
# Without the tags and the conversion that goes with them, players guess, and colours shift.
COLOURS = (
    *("-vf", "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd,format=yuv420p"),
    *("-colorspace", "bt709", "-color_primaries", "bt709"),
    *("-color_trc", "iec61966-2-1", "-color_range", "tv"),
)


def check_mp4(clip: Clip) -> None:
    """Refuse what MP4 cannot hold, or this machine cannot write.

    Raises:
        OptionError: the clip is transparent, or its side in pixels is odd.
        MissingExtraError: ffmpeg is not installed.
    """
    if clip.transparent:
        raise OptionError("MP4 has no transparency; choose .webp or .apng")
    if clip.size % 2:
        raise OptionError(f"MP4 needs an even side in pixels, not {clip.size}")
    find_ffmpeg()


def encode_mp4(clip: Clip, out: BinaryIO) -> None:
    """Write a clip as H.264, 4:2:0, with the index in front so that it plays while it loads.

    Raises:
        OutputError: ffmpeg could not finish.
    """
    with tempfile.TemporaryDirectory(prefix="avatargan-") as folder:
        # ffmpeg goes back to the start of its output, so it needs a file of its own.
        video = Path(folder, "clip.mp4")
        tags = Path(folder, "tags.txt")
        tags.write_text(f";FFMETADATA1\ncomment={_escape(clip.metadata)}\n", encoding="ascii")
        rate = clip.frame_rate
        command = [
            *(find_ffmpeg(), "-loglevel", "error", "-y"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{clip.size}x{clip.size}"),
            *("-framerate", f"{rate.numerator}/{rate.denominator}", "-i", "pipe:0"),
            *("-f", "ffmetadata", "-i", str(tags), "-map_metadata", "1"),
            *COLOURS,
            *("-c:v", "libx264", "-crf", str(QUALITY), "-preset", PRESET),
            *("-movflags", "+faststart", str(video)),
        ]
        _feed(command, clip, Path(folder, "errors.txt"))
        with video.open("rb") as file:
            shutil.copyfileobj(file, out)


def _feed(command: list[str], clip: Clip, errors: Path) -> None:
    """Run ffmpeg on the pixels of a clip."""
    with (
        errors.open("wb") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log
        ) as ffmpeg,
    ):
        assert ffmpeg.stdin is not None
        try:
            for frame in clip.frames:
                ffmpeg.stdin.write(frame.convert("RGB").tobytes())
            ffmpeg.stdin.close()
        except BrokenPipeError:  # it has ended; its log says why
            with contextlib.suppress(BrokenPipeError):
                ffmpeg.stdin.close()  # would otherwise be tried again on the way out
        except BaseException:
            ffmpeg.kill()
            raise
        code = ffmpeg.wait()
    if code:
        lines = errors.read_text(errors="replace").strip().splitlines()
        raise OutputError(f"ffmpeg could not write the video: {lines[-1] if lines else code}")


def find_ffmpeg() -> str:
    """Return the path of ffmpeg.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError(
            "MP4 needs ffmpeg; 'pip install imageio-ffmpeg' adds it (or choose .webp)"
        ) from error
    try:
        return str(get_ffmpeg_exe())
    except RuntimeError as error:
        raise MissingExtraError(
            "imageio-ffmpeg has no ffmpeg for this machine; install ffmpeg, or choose .webp"
        ) from error


def _escape(text: str) -> str:
    """Escape what means something in ffmpeg's metadata files."""
    return "".join(f"\\{char}" if char in "=;#\\\n" else char for char in text)
