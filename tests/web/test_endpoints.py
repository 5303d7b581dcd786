"""The named endpoints, through gradio_client."""

import asyncio
import base64
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image, ImageDraw

from avatargan import AvatarPipeline
from avatargan.recipe import encode_png
from avatargan.web.gradio_queue import complete_queue
from avatargan.web.waiting import current_waiter


@pytest.fixture(scope="module")
def api(server_url: str) -> Client:
    return Client(server_url, verbose=False, analytics_enabled=False)


def test_the_endpoints_are_named_and_nothing_else_is_offered(api: Client):
    info = api.view_api(return_format="dict", print_info=False)
    assert set(info["named_endpoints"]) == {
        "/create",
        "/variations",
        "/recolour",
        "/mix",
        "/edit",
        "/sketch",
        "/sliders",
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
        "sliders",
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


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("queue/join", {"data": [], "fn_index": -1, "session_hash": "a"}, 404, "no function -1"),
        ("queue/join", {"data": [], "fn_index": 10**9, "session_hash": "a"}, 404, "no function"),
        ("call/create", {"data": []}, 422, "takes 6 values (attributes, count, seeds, psi, size, "),
        ("call/create", {"data": [1] * 50}, 422, "got 50"),
        ("call/v2/create", {"colour": "pink"}, 422, "colour"),
        ("call/nothing", {"data": []}, 404, "no endpoint"),
    ],
)
def test_calls_that_do_not_fit_are_refused_with_the_reason(client, path, body, status, words):
    response = client.post(f"/gradio_api/{path}", json=body)
    assert (response.status_code, list(response.json())) == (status, ["detail"])
    assert words in response.json()["detail"]
    assert " at 0x" not in response.text


def test_what_is_drawn_for_a_caller_that_has_left_is_dropped():
    event = SimpleNamespace(_id="1", alive=True)

    async def process(*_: object) -> None:
        # As gradio does: the function runs in a thread with the context of this task.
        await asyncio.to_thread(lambda: current_waiter().left.result(30))

    async def clean(**_: object) -> None:
        event.alive = False

    queue = SimpleNamespace(
        push=None, process_events=process, clean_events=clean, active_jobs=[None, [event]]
    )
    complete_queue(SimpleNamespace(_queue=queue), FastAPI())

    async def run() -> None:
        drawing = asyncio.create_task(queue.process_events([event], False, 0.0, None))
        await asyncio.sleep(0)
        await queue.clean_events(session_hash="left")
        await asyncio.wait_for(drawing, 30)

    asyncio.run(run())


def test_a_sketch_becomes_avatars_and_an_empty_one_is_refused(api: Client):
    page = Image.new("RGB", (64, 64), "white")

    def sent() -> str:
        return base64.b64encode(encode_png(page)).decode()

    with pytest.raises(AppError, match="empty"):
        api.predict(png=sent(), api_name="/sketch")
    ImageDraw.Draw(page).ellipse((14, 8, 50, 54), outline="black")
    result = api.predict(png=sent(), follow=0, size=128, count=2, api_name="/sketch")
    assert [avatar["painted"] for avatar in result["avatars"]] == [False, False]
    assert result["seen"].keys() >= {"long hair"}
