"""The Export tab: many avatars at once, with manifest and sprite sheets, as one ZIP."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
from gradio.blocks import Block

from avatargan.attributes import ANY
from avatargan.errors import AvatarGanError, OptionError
from avatargan.export import ExportPlan
from avatargan.transparency import can_remove_backgrounds
from avatargan.web.exports import ExportWishes, export_zip, first_file, plan_export, steps_of
from avatargan.web.service import AvatarService
from avatargan.web.ui import widgets
from avatargan.web.ui.cards import now
from avatargan.web.ui.context import Context
from avatargan.web.ui.controls import read_integer, read_seed
from avatargan.web.ui.events import HIDDEN
from avatargan.web.ui.jobs import Job, run_job
from avatargan.web.ui.language import interface_text
from avatargan.web.ui.messages import explain

NAME = "export"
TITLE = "export_tab"

COUNT = 24
#: Of a side that sprites have, where the weights draw several.
PREFERRED_SIZE = 256
TEMPLATE = "avatar_{seed}"
LONGEST_TEMPLATE = 200
FILE = "avatargan-export.zip"
#: The seed of the example while none is locked: of as many digits as most that are rolled.
EXAMPLE_SEED = 1234567890


def build(context: Context) -> None:
    """Make the tab's components and its events."""
    service = context.service
    with gr.Column(elem_id="export-page"):
        settings = _build_settings(service)
        example = widgets.widget(
            "export_example",
            elem_id="export-example",
            value={"file": TEMPLATE.format(seed=EXAMPLE_SEED) + ".png"},
            fields=["seed", "index", *service.attributes],
        )
        switches = _build_switches()
        exporter = widgets.widget("exporter", events=("make",), elem_id="exporter")
        download = gr.DownloadButton(
            str(interface_text("export_download")),  # which the browser looks up
            variant="primary",
            visible=False,
            elem_id="export-download",
        )
    named = settings | switches
    components: set[Block] = set(named.values())

    def sent_by(values: dict[Any, Any]) -> dict[str, Any]:
        return {name: values[component] for name, component in named.items()}

    def show_example(values: dict[Any, Any], request: gr.Request) -> dict[str, Any]:
        """Tell how the first file will be called, or why none can be called that."""
        try:
            plan = _plan(service, sent_by(values), EXAMPLE_SEED)
        except AvatarGanError as error:
            return {"error": explain(error, request)}
        return {"file": first_file(plan)}

    def make(values: dict[Any, Any], request: gr.Request) -> Iterator[list[Any]]:
        """Export into a temporary folder; tell how far it is, and at last hand the ZIP over."""
        try:
            sent = sent_by(values)
            plan = _plan(service, sent, service.random_seeds(1)[0])
            locked = bool(sent["seed"].get("locked"))
            seed = {"seed": str(plan.first_seed), "locked": locked, "variation": []}
            for update, file in _export(service, plan):
                # With the last update, for the page drops what updates in quick succession skip.
                yield [update, file, seed if update["status"] == "done" else gr.skip()]
        except AvatarGanError as error:
            refused = {"status": "refused", "message": explain(error, request), "at": now()}
            yield [refused, gr.DownloadButton(visible=False), gr.skip()]

    gr.on(
        [component.change for component in named.values()],
        show_example,
        components,
        example,
        trigger_mode="always_last",
        **HIDDEN,
    )
    exporter.make(make, components, [exporter, download, settings["seed"]], **HIDDEN)


def _build_settings(service: AvatarService) -> dict[str, gr.HTML]:
    settings = {
        f"attribute:{name}": widgets.choice(
            name, service.attributes.offered(name), ANY, elem_id=f"export-choice-{name}"
        )
        for name in service.attributes
    }
    sizes = [str(size) for size in service.sizes]
    size = str(PREFERRED_SIZE if PREFERRED_SIZE in service.sizes else service.sizes[0])
    most = service.limits.export_pictures
    settings["count"] = widgets.slider(
        "count", min(COUNT, most), 1, most, 1, elem_id="export-count"
    )
    settings["size"] = widgets.short_choice("size", sizes, size, elem_id="export-size")
    settings["seed"] = widgets.seed("export-seed")
    settings["name"] = widgets.text_field(
        "export_name", TEMPLATE, elem_id="export-name", longest=LONGEST_TEMPLATE
    )
    return settings


def _build_switches() -> dict[str, gr.HTML]:
    switches = {
        "manifest": widgets.switch("export_manifest", True, elem_id="export-manifest"),
        "sheets": widgets.switch("export_sheets", False, elem_id="export-sheets"),
    }
    if can_remove_backgrounds():
        switches["transparent"] = widgets.switch("transparent", False, elem_id="export-transparent")
    return switches


def _plan(service: AvatarService, values: dict[str, Any], rolled: int) -> ExportPlan:
    """Check what the page sent; ``rolled`` is the first seed where none is locked."""
    limits = service.limits
    template = values["name"]
    if not isinstance(template, str) or len(template) > LONGEST_TEMPLATE:
        raise OptionError(f"the name of the files has at most {LONGEST_TEMPLATE} characters")
    seed, _ = read_seed(values["seed"])
    wishes = ExportWishes(
        attributes={
            name: service.attributes.check(name, str(values[f"attribute:{name}"]))
            for name in service.attributes
        },
        first_seed=rolled if seed is None else seed,
        count=read_integer(values["count"], "the number of pictures", 1, limits.export_pictures),
        size=read_integer(values["size"], "the size", 1, max(service.sizes)),
        name=template,
        manifest=values["manifest"] is True,
        sheets=values["sheets"] is True,
        transparent=values.get("transparent") is True,
    )
    return plan_export(service, wishes)


def _export(service: AvatarService, plan: ExportPlan) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield what the page is told, and what becomes of the button with the file."""
    with TemporaryDirectory(prefix="avatargan-export-") as temporary:
        folder, target = Path(temporary, "export"), Path(temporary, FILE)

        def work(job: Job) -> None:
            for _ in job.counted(export_zip(service, plan, folder, target, job.checked)):
                pass

        for update in run_job(service, work, steps_of(plan)):
            yield update, gr.DownloadButton(visible=False)
        done = {
            "status": "done",
            "pictures": plan.pictures,
            "megabytes": f"{target.stat().st_size / 1e6:.1f}",
            "at": now(),
        }
        # Gradio copies the file into its own folder before it asks for what comes next.
        yield done, gr.DownloadButton(value=target, visible=True)
