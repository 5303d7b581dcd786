"""Connecting to a Ray cluster."""

import os
from typing import Any

from avatargan.errors import MissingExtraError


def start_ray() -> Any:
    """Connect to the cluster of ``RAY_ADDRESS``, or start one of this machine alone.

    Returns:
        The module ``ray``.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    # Ray reports its use to its makers unless told not to; nothing here calls home.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            "Ray is not installed; pip install -r requirements-ray.txt adds it"
        ) from error
    if not ray.is_initialized():
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if "RAY_ADDRESS" not in os.environ:  # a cluster of this machine, closed to others
            options |= {"_node_ip_address": "127.0.0.1", "include_dashboard": False}
        ray.init(**options)
    return ray
