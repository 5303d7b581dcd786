"""Fixtures of the crawler's tests."""

import pytest

pytest.importorskip("parsel", reason="the crawl extra is not installed (parsel)")
pytest.importorskip("imagehash", reason="the crawl extra is not installed (imagehash)")


@pytest.fixture(scope="session")
def site_server():
    """The process that serves the test sites."""
    from tests.crawler.helpers import SiteServer

    server = SiteServer()
    yield server
    server.close()


@pytest.fixture
def serve(site_server, tmp_path):
    """Open a test site: ``serve(characters=10, hazards=True)``."""
    return lambda number="", **config: site_server.open_site(tmp_path / f"site{number}", **config)
