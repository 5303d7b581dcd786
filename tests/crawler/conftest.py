"""Fixtures of the crawler's tests."""

from contextlib import ExitStack

import pytest

for needed in ("scrapy", "imagehash"):
    pytest.importorskip(needed, reason=f"the crawl extra is not installed ({needed})")

from tests.crawler.helpers import running_site


@pytest.fixture
def serve(tmp_path):
    """Start a test site: ``serve(characters=10, hazards=True)``."""
    with ExitStack() as stack:
        yield lambda **config: stack.enter_context(
            running_site(tmp_path / f"site{config.pop('number', '')}", **config)
        )
