"""The app as a whole: header, tabs, endpoints."""

import gradio as gr

from avatargan.version import __version__
from avatargan.web.service import AvatarService
from avatargan.web.ui import endpoints, widgets
from avatargan.web.ui.context import Context
from avatargan.web.ui.language import interface_text
from avatargan.web.ui.tabs import TABS


def build_ui(service: AvatarService) -> gr.Blocks:
    """Return the app; mount it with :func:`avatargan.web.ui.page.launch_options`.

    Args:
        service: what draws; the attributes of its weights decide which controls there are.
    """
    blocks = gr.Blocks(title="avatargan", analytics_enabled=False, fill_width=True)
    with blocks:
        # First, so that no event of the page takes a name before them.
        endpoints.add_endpoints(service)
        widgets.header()
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
            context = Context(service=service, blocks=blocks, tabs=tabs)
            for module in TABS:
                with gr.Tab(
                    interface_text(module.TITLE), id=module.NAME, elem_id=f"{module.NAME}-tab"
                ):
                    module.build(context)
        widgets.footer(
            version=__version__,
            weights=service.pipeline.weights_sha256[:12],
            renderer=service.pipeline.renderer.description,
        )
    return blocks
