"""Exports and morphs over HTTP: progress in lines, then the file."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Response
from PIL import Image
from pydantic import Field
from starlette.responses import JSONResponse

from avatargan.attributes import ANY
from avatargan.errors import MissingExtraError, OptionError
from avatargan.export import ExportPlan
from avatargan.morph import Clip, Morph, animate, encode_animation, plan_morph
from avatargan.morph.encoders.mp4 import find_ffmpeg
from avatargan.web.exports import ExportWishes, export_zip, first_file, plan_export, steps_of
from avatargan.web.jobs import Job, run_job
from avatargan.web.schemas import LARGEST_LIST, Name, RecipeJson, Request, SeedInput
from avatargan.web.service import AvatarService
from avatargan.web.streams import JOB, json_line, stream_lines

T = TypeVar("T")

#: Bytes of a file that are sent at a time.
PIECE = 1024 * 1024
FPS = 24
MOST_SECONDS = 60
MOST_KEYFRAMES = 24
#: Larger files are slow to hand to a page; the command line makes them.
LARGEST_FRAME = 256
#: Frames of one morph.
MOST_FRAMES = 24 * 30
LONGEST_TEMPLATE = 200
#: What the browser is told that a file is, by extension; the first is what is played.
MEDIA_TYPES = {
    "webp": "image/webp",
    "gif": "image/gif",
    "png": "image/apng",
    "mp4": "video/mp4",
}


class ExportRequest(Request):
    """As many characters as wanted, as files in one ZIP."""

    attributes: Annotated[dict[Name, Name], Field(max_length=100)] = Field(
        {}, description='by name; "any" where one is left out'
    )
    seed: SeedInput | None = Field(None, description="of the first; the others follow")
    count: Annotated[int, Field(ge=1, strict=True)] = 24
    size: Annotated[int, Field(ge=1, strict=True)] | None = None
    name: Annotated[str, Field(max_length=LONGEST_TEMPLATE)] = Field(
        "avatar_{seed}", description="template of the file names"
    )
    manifest: bool = True
    sheets: bool = Field(False, description="sprite sheets with their atlas")
    transparent: bool = False
    dry_run: bool = Field(False, description="only tell how the first file would be called")


class MorphRequest(Request):
    """Characters that turn into one another."""

    keyframes: Annotated[list[RecipeJson | SeedInput], Field(max_length=LARGEST_LIST)] = Field(
        description="recipes or seeds, in order"
    )
    seconds: Annotated[float, Field(gt=0, le=MOST_SECONDS, allow_inf_nan=False)] = Field(
        6, description="in all"
    )
    size: Annotated[int, Field(ge=1, strict=True)] | None = None
    format: Name = Field("webp", description="webp, gif, png (APNG) or mp4")


def morph_formats() -> list[str]:
    """Return the formats that can be written here."""
    try:
        find_ffmpeg()
    except MissingExtraError:
        return [name for name in MEDIA_TYPES if name != "mp4"]
    return list(MEDIA_TYPES)


def morph_sizes(service: AvatarService) -> list[int]:
    """Return the sides in pixels that morphs have here."""
    return [size for size in service.sizes if size <= LARGEST_FRAME] or [service.sizes[0]]


def add_job_routes(router: APIRouter, service: AvatarService, refusals: dict[Any, Any]) -> None:
    """Add ``/exports`` and ``/morphs``."""

    @router.post(
        "/exports", responses=refusals, tags=["files"], summary="Export characters as a ZIP"
    )
    def export(body: ExportRequest) -> Response:
        seed = body.seed if body.seed is not None else service.random_seeds(1)[0]
        plan = plan_export(
            service,
            ExportWishes(
                attributes={
                    name: service.attributes.check(name, body.attributes.get(name, ANY))
                    for name in {**dict.fromkeys(service.attributes), **body.attributes}
                },
                first_seed=seed,
                count=body.count,
                size=body.size or service.default_size,
                name=body.name,
                manifest=body.manifest,
                sheets=body.sheets,
                transparent=body.transparent,
                # A series that somebody named is drawn as it is.
                any_quality=body.seed is not None,
            ),
        )
        if body.dry_run:
            return JSONResponse({"file": first_file(plan), "pictures": plan.pictures})
        return stream_lines(_export(service, plan), JOB)

    @router.post(
        "/morphs", responses=refusals, tags=["files"], summary="Animate between characters"
    )
    def morph(body: MorphRequest) -> Response:
        if body.format not in morph_formats():
            raise OptionError(
                f"there is no format '{body.format[:20]}' (formats: {', '.join(morph_formats())})"
            )
        sizes = morph_sizes(service)
        size = body.size or sizes[-1]
        if size not in sizes:
            raise OptionError(f"morphs here have no size {size} (sizes: {sizes})")
        if len(body.keyframes) > MOST_KEYFRAMES:
            raise OptionError(f"a morph takes at most {MOST_KEYFRAMES} characters here")
        if body.seconds * FPS > MOST_FRAMES:
            raise OptionError(f"a morph has at most {MOST_FRAMES // FPS} seconds here")
        plan = plan_morph(
            service.pipeline,
            body.keyframes,
            seconds=body.seconds,
            size=size,
            fps=FPS,
            loop=True,
        )
        return stream_lines(_morph(service, plan, body.format), JOB)


def _export(service: AvatarService, plan: ExportPlan) -> Generator[bytes, None, None]:
    with TemporaryDirectory(prefix="avatargan-export-") as temporary:
        folder, target = Path(temporary, "export"), Path(temporary, "export.zip")

        def work(job: Job) -> None:
            for _ in job.counted(export_zip(service, plan, folder, target, job.checked)):
                pass

        yield from _progress(run_job(service, work, steps_of(plan)))
        yield json_line(
            {
                "status": "done",
                "bytes": target.stat().st_size,
                "type": "application/zip",
                "pictures": plan.pictures,
                "seed": str(plan.first_seed),
            }
        )
        with target.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece


def _morph(service: AvatarService, plan: Morph, extension: str) -> Generator[bytes, None, None]:
    clip: Clip = animate(service.pipeline, plan)

    def samples(count: int) -> list[Image.Image]:
        return service.run(lambda: list(clip.samples(count)))

    def encode(job: Job) -> bytes:
        frames = job.counted(service.in_turns(iter(clip.frames)))
        return encode_animation(replace(clip, frames=frames, samples=samples), f".{extension}")

    file = yield from _progress(run_job(service, encode, clip.count))
    yield json_line({"status": "done", "bytes": len(file), "type": MEDIA_TYPES[extension]})
    for start in range(0, len(file), PIECE):
        yield file[start : start + PIECE]


def _progress(work: Generator[dict[str, Any], None, T]) -> Generator[bytes, None, T]:
    """Yield a line for each report; return what the work returns."""
    with closing(work):
        while True:
            try:
                report = next(work)
            except StopIteration as end:
                return cast(T, end.value)
            yield json_line(report)
