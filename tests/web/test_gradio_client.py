"""The named endpoints, through gradio_client as other programs use them."""

import base64
from collections.abc import Iterator

import httpx
import pytest
from gradio_client import Client

from avatargan import AvatarPipeline, read_recipe


@pytest.fixture(scope="module")
def endpoints(server_url: str) -> Iterator[Client]:
    client = Client(server_url, verbose=False, httpx_kwargs={"trust_env": False})
    yield client
    client.close()


def test_the_endpoints_have_the_names_that_are_documented(endpoints):
    named = endpoints.view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {"/create", "/variations", "/recolour", "/restore", "/attributes"}


def test_they_draw_what_the_rest_api_draws(endpoints, client: httpx.Client):
    [avatar] = endpoints.predict({"hair": "pink"}, seeds=[7], size=128, api_name="/create")
    body = {"attributes": {"hair": "pink"}, "seeds": [7], "size": 128}
    response = client.post("/api/v1/avatars", json=body)
    assert response.json()["avatars"] == [avatar]


def test_they_vary_recolour_and_restore(endpoints, pipe: AvatarPipeline):
    [avatar] = endpoints.predict(seeds=[2**63 - 1], size=128, api_name="/create")
    recipe = avatar["recipe"]
    family = endpoints.predict(recipe, 0.2, 2, api_name="/variations")
    assert [read_recipe(base64.b64decode(a["png"])).seed for a in family] == [2**63 - 1] * 2
    strip = endpoints.predict(recipe, "eyes", api_name="/recolour")
    assert len(strip) == len(pipe.attributes.offered("eyes"))
    assert endpoints.predict(avatar["png"], api_name="/restore")["recipe"] == recipe


def test_errors_say_what_is_wrong(endpoints):
    with pytest.raises(Exception, match="did you mean 'pink'"):
        endpoints.predict({"hair": "pnk"}, api_name="/create")
