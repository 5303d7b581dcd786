"""The browser app: what people see, and the named endpoints for gradio_client."""

from avatargan.web.ui.app import build_ui
from avatargan.web.ui.page import launch_options

__all__ = ["build_ui", "launch_options"]
