"""The Morph tab: favourites in order, or seeds, become a looping animation."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
from PIL import Image

from avatargan.errors import AvatarGanError, MissingExtraError, OptionError
from avatargan.morph import Clip, animate, encode_animation, plan_morph
from avatargan.morph.encoders.mp4 import find_ffmpeg
from avatargan.recipe import Recipe
from avatargan.web.service import AvatarService
from avatargan.web.ui import widgets
from avatargan.web.ui.cards import recipe_from_page
from avatargan.web.ui.context import Context
from avatargan.web.ui.controls import parse_seed
from avatargan.web.ui.events import HIDDEN, sent
from avatargan.web.ui.jobs import Job, run_job
from avatargan.web.ui.messages import explain

NAME = "morph"
TITLE = "morph_tab"

FPS = 24
SECONDS = 4
MOST_SECONDS = 6
MOST_KEYFRAMES = 12
LONGEST_SEEDS_TEXT = 500
#: Larger files are slow to hand to a page; the command line makes them.
LARGEST_SIDE = 256
#: What the browser is told that a file is, by extension; the first is what is played.
MEDIA_TYPES = {
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".png": "image/apng",
    ".mp4": "video/mp4",
}


def build(context: Context) -> None:
    """Make the tab's components and its one event."""
    service = context.service
    sizes = [size for size in service.sizes if size <= LARGEST_SIDE] or [service.sizes[0]]
    with gr.Column(elem_id="morph-page"):
        seconds = widgets.slider("seconds", SECONDS, 1, MOST_SECONDS, 1)
        size = widgets.short_choice("morph_size", [str(side) for side in sizes], str(sizes[-1]))
        morph = widgets.widget(
            "morph",
            events=("make",),
            elem_id="morph",
            formats=_formats(),
            most=MOST_KEYFRAMES,
        )

    def make(
        event: gr.EventData, chosen_seconds: Any, chosen_size: Any, request: gr.Request
    ) -> Iterator[dict[str, Any]]:
        """Draw and encode; tell how far it is, and at last hand the file over."""
        try:
            extension = sent(event, "format")
            if not isinstance(extension, str) or extension not in MEDIA_TYPES:
                raise OptionError(f"there is no format {extension!r}")
            plan = plan_morph(
                service.pipeline,
                _keyframes(sent(event, "recipes"), sent(event, "seeds")),
                seconds=_choose(chosen_seconds, range(1, MOST_SECONDS + 1)),
                size=_choose(chosen_size, sizes),
                fps=FPS,
                loop=True,
            )
            clip = animate(service.pipeline, plan)
            for update in _encode(service, clip, extension):
                yield update | {"format": extension, "play": bool(sent(event, "play"))}
        except AvatarGanError as error:
            yield {"status": "refused", "message": explain(error, request)}

    morph.make(make, [seconds, size], morph, **HIDDEN)


def _encode(service: AvatarService, clip: Clip, extension: str) -> Iterator[dict[str, Any]]:
    """Encode in a thread, whose drawing takes turns with that of other visitors."""

    def samples(count: int) -> list[Image.Image]:
        return service.run(lambda: list(clip.samples(count)))

    def encode(job: Job) -> bytes:
        frames = job.counted(service.in_turns(iter(clip.frames)))
        return encode_animation(replace(clip, frames=frames, samples=samples), extension)

    file = yield from run_job(service, encode, clip.count)
    yield {
        "status": "done",
        "file": base64.b64encode(file).decode("ascii"),
        "kind": MEDIA_TYPES[extension],
    }


def _keyframes(recipes: object, seeds: object) -> list[int | Recipe]:
    """Return what the page sent: recipes, then seeds; errors name what is wrong."""
    if not isinstance(recipes, list) or not isinstance(seeds, str):
        raise OptionError("a morph needs a list of recipes and a text with seeds")
    texts = seeds[:LONGEST_SEEDS_TEXT].replace(",", " ").split()
    if len(recipes) + len(texts) > MOST_KEYFRAMES:
        raise OptionError(f"a morph takes at most {MOST_KEYFRAMES} characters here")
    return [*map(recipe_from_page, recipes), *map(parse_seed, texts)]


def _choose(value: Any, choices: Any) -> int:
    for choice in choices:
        if str(value) == str(choice):
            return int(choice)
    raise OptionError(f"a setting is out of range: {str(value)[:40]}")


def _formats() -> list[str]:
    """Return the extensions that can be written here."""
    try:
        find_ffmpeg()
    except MissingExtraError:
        return [extension for extension in MEDIA_TYPES if extension != ".mp4"]
    return list(MEDIA_TYPES)
