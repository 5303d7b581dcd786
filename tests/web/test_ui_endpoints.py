"""The named endpoints, through gradio_client."""

import base64

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from avatargan import AvatarPipeline


@pytest.fixture(scope="module")
def api(server_url: str) -> Client:
    return Client(server_url, verbose=False, analytics_enabled=False)


def test_the_endpoints_are_named_and_nothing_else_is_offered(api: Client):
    info = api.view_api(return_format="dict", print_info=False)
    assert set(info["named_endpoints"]) == {
        "/create",
        "/variations",
        "/recolour",
        "/restore",
        "/attributes",
    }
    assert info["unnamed_endpoints"] == {}
    create = info["named_endpoints"]["/create"]["parameters"]
    assert [parameter["parameter_name"] for parameter in create] == [
        "attributes",
        "count",
        "seeds",
        "psi",
        "size",
    ]


def test_creates_what_python_draws(api: Client, pipe: AvatarPipeline):
    seeds = [1, 2**63 - 1]
    avatars = api.predict(attributes={"hair": "pink"}, seeds=seeds, size=128, api_name="/create")
    expected = pipe.generate(seeds, hair="pink", size=128)
    assert [base64.b64decode(avatar["png"]) for avatar in avatars] == [
        avatar.to_png() for avatar in expected
    ]


def test_variations_recolourings_and_restoring_take_what_create_gave(api: Client, pipe):
    [avatar] = api.predict(seeds=[7], size=128, api_name="/create")
    variations = api.predict(recipe=avatar["recipe"], count=2, api_name="/variations")
    assert [len(variation["recipe"]["variation"]) for variation in variations] == [1, 1]
    strip = api.predict(recipe=avatar["recipe"], attribute="eyes", api_name="/recolour")
    assert len(strip) == len(pipe.attributes.offered("eyes"))
    restored = api.predict(png=variations[0]["png"], api_name="/restore")
    assert restored == {"recipe": variations[0]["recipe"], "drawable": True}


def test_attributes_are_those_of_the_weights(api: Client, pipe: AvatarPipeline):
    answer = api.predict(api_name="/attributes")
    assert {name: tuple(entry["choices"]) for name, entry in answer["attributes"].items()} == {
        name: pipe.attributes.offered(name) for name in pipe.attributes
    }
    assert answer["sizes"] == list(pipe.sizes)


@pytest.mark.parametrize(
    ("endpoint", "arguments", "message"),
    [
        ("create", {"attributes": {"hair": "pnk"}}, "did you mean 'pink'"),
        ("create", {"attributes": {"hairs": "pink"}}, "no attribute 'hairs'"),
        ("create", {"attributes": [1]}, "must be an object"),
        ("create", {"count": 37}, "from 1 to 36"),
        ("create", {"count": "3"}, "count must be an integer"),
        ("create", {"seeds": [-1]}, "from 0 to 2^63-1"),
        ("create", {"seeds": [0] * 100_000}, "seeds must be a list"),
        ("create", {"size": 100}, "no size 100"),
        ("create", {"psi": "wild"}, "psi must be a number"),
        ("create", {"psi": 9.0}, "psi"),
        ("variations", {"recipe": {}}, "not a recipe"),
        ("variations", {"recipe": "x"}, "must be an object"),
        ("restore", {"png": "%%%"}, "not valid base64"),
        ("restore", {"png": "AAAA"}, "not a PNG"),
    ],
)
def test_bad_calls_are_refused_with_the_reason(api: Client, endpoint, arguments, message):
    with pytest.raises(AppError) as error:
        api.predict(**arguments, api_name=f"/{endpoint}")
    assert message in str(error.value)
