"""The REST API, over HTTP, against a server process."""

import base64
import io
import json

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from avatargan import AvatarPipeline, Recipe, read_recipe
from avatargan.recipe import encode_png

LARGEST_SEED = 2**63 - 1


def draw(client: httpx.Client, path: str = "avatars", **body: object) -> list[dict]:
    response = client.post(f"/api/v1/{path}", json=body)
    assert response.status_code == 200, response.text
    return response.json()["avatars"]


def picture(avatar: dict) -> bytes:
    return base64.b64decode(avatar["png"], validate=True)


def refusal(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    body = response.json()
    assert list(body) in (["detail"], ["detail", "kind"])
    assert "\n" not in body["detail"]
    return body["detail"]


def test_draws_what_was_asked_for(client: httpx.Client, pipe: AvatarPipeline):
    attributes = {"hair": "pink", "eyes": ["blue", "any"]}
    avatars = draw(client, seeds=[1, 2], attributes=attributes, psi=0.5, size=128)
    expected = pipe.generate([1, 2], psi=0.5, size=128, **attributes)
    assert [picture(avatar) for avatar in avatars] == [avatar.to_png() for avatar in expected]
    assert [avatar["recipe"] for avatar in avatars] == [
        avatar.recipe.model_dump(mode="json") for avatar in expected
    ]


def test_an_empty_request_draws_one_avatar_of_the_default_size(client, pipe):
    [avatar] = draw(client)
    image = Image.open(io.BytesIO(picture(avatar)))
    assert image.size == (pipe.default_size, pipe.default_size)


def test_rolls_as_many_seeds_as_are_counted(client):
    avatars = draw(client, count=3, size=128)
    assert len({avatar["recipe"]["seed"] for avatar in avatars}) == 3


def test_the_picture_holds_the_recipe_that_came_with_it(client):
    [avatar] = draw(client, seeds=[7], size=128)
    assert read_recipe(picture(avatar)) == Recipe.from_json(json.dumps(avatar["recipe"]))


@pytest.mark.parametrize("seed", [2**53 - 1, 2**53 + 1, LARGEST_SEED])
@pytest.mark.parametrize("form", [int, str])
def test_large_seeds_survive_both_ways(client, seed, form):
    [avatar] = draw(client, seeds=[form(seed)], size=128)
    assert read_recipe(picture(avatar)).seed == seed
    as_json = avatar["recipe"]["seed"]
    # What a reader that only has doubles makes of it:
    assert as_json == (seed if seed < 2**53 else str(seed))
    assert draw(client, recipes=[avatar["recipe"]]) == [avatar]


def test_variations_are_reproducible_and_survive_being_sent_back(client):
    [avatar] = draw(client, seeds=[7], size=128)
    variations = draw(client, "avatars/variations", recipe=avatar["recipe"], strength=0.2, n=2)
    again = draw(client, "avatars/variations", recipe=avatar["recipe"], strength=0.2, n=1, start=1)
    assert variations[1:] == again
    assert variations[0]["png"] != avatar["png"]
    # As JavaScript sends it, large numbers included:
    javascript = json.loads(json.dumps(variations[0]["recipe"]), parse_int=lambda n: int(float(n)))
    assert draw(client, recipes=[javascript]) == variations[:1]


def test_recolours_with_the_identity_held(client, pipe):
    [avatar] = draw(client, seeds=[7], size=128)
    avatars = draw(client, "avatars/recolourings", recipe=avatar["recipe"], attribute="hair")
    hair = [avatar["recipe"]["attributes"]["hair"] for avatar in avatars]
    assert hair == list(pipe.attributes.offered("hair"))
    assert avatar in avatars


def test_reads_the_recipe_of_a_picture(client):
    [avatar] = draw(client, seeds=[LARGEST_SEED], size=128)
    response = client.post("/api/v1/recipe", files={"file": ("a.png", picture(avatar))})
    assert response.json() == {"recipe": avatar["recipe"], "drawable": True}


def test_says_that_a_recipe_is_of_other_weights(client):
    [avatar] = draw(client, seeds=[1], size=128)
    other = avatar["recipe"] | {"weights_sha256": "0" * 64}
    reason = refusal(client.post("/api/v1/avatars", json={"recipes": [other]}), 422)
    assert "000000000000" in reason


@pytest.mark.parametrize(
    ("fields", "attributes", "reason"),
    [
        ({}, {"hair": "any"}, "hair is 'any'"),
        ({}, {"eyes": "unknown"}, "eyes is 'unknown'"),
        ({}, {"style": ""}, "style is ''"),
        ({"size": 100}, {}, "no size 100"),
    ],
)
def test_a_recipe_that_cannot_be_drawn_costs_nothing_but_an_answer(
    client, pipe, fields, attributes, reason
):
    [recipe] = pipe.recipes([1], size=128)
    bad = recipe.model_copy(update={"attributes": recipe.attributes | attributes, **fields})
    png = encode_png(Image.new("RGB", (8, 8)), bad)
    read = client.post("/api/v1/recipe", files={"file": ("a.png", png)})
    assert read.json()["drawable"] is False
    good, bad = recipe.model_dump(mode="json"), bad.model_dump(mode="json")
    # One connection for all of them: each answer leaves it fit for the next request.
    with httpx.Client(base_url=client.base_url, limits=httpx.Limits(max_connections=1)) as one:
        for path, body in [
            ("avatars", {"recipes": [good, bad]}),
            ("avatars/variations", {"recipe": bad}),
            ("avatars/recolourings", {"recipe": bad, "attribute": "hair"}),
        ]:
            answer = one.post(f"/api/v1/{path}", json=body)
            assert reason in refusal(answer, 422)
            assert ("recipe 2 of 2" in answer.text) == ("recipes" in body)
            assert one.get("/api/v1/health").json() == {"status": "ok"}


def test_tells_what_may_be_asked_for(client, pipe):
    told = client.get("/api/v1/attributes").json()
    assert list(told["attributes"]) == list(pipe.attributes)
    for name, attribute in told["attributes"].items():
        assert attribute["choices"] == list(pipe.attributes.offered(name))
        assert attribute["default"] == pipe.attributes.default(name)
    assert told["sizes"] == list(pipe.sizes)


def test_tells_what_is_running(client, pipe):
    info = client.get("/api/v1/info").json()
    assert info["weights_sha256"] == pipe.weights_sha256
    assert info["limits"]["pictures"] == 36
    assert client.get("/api/v1/health").json() == {"status": "ok"}


RECIPE = {
    "seed": 1,
    "attributes": {"style": "tv", "hair": "red", "eyes": "red"},
    "psi": 0.7,
    "size": 128,
    "weights_sha256": "0" * 64,
    "version": "0.1.0",
}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"attributes": {"hair": "pnk"}}, ["hair", "did you mean 'pink'"]),
        ({"attributes": {"hari": "pink"}}, ["hari", "did you mean 'hair'"]),
        ({"attributes": {"hair": "unknown"}}, ["hair", "choices"]),
        ({"attributes": {"hair": ["pink", "blue"]}, "seeds": [1]}, ["hair", "2 choices"]),
        ({"attributes": {"hair": 3}}, ["attributes.hair", "list of choices"]),
        ({"attributes": {"hair": "x" * 100_000}}, ["attributes.hair", "40 characters"]),
        ({"attributes": "pink"}, ["attributes"]),
        ({"seed": 1}, ["seed", "did you mean 'seeds'"]),
        ({"seeds": []}, ["seeds"]),
        ({"seeds": [-1]}, ["seeds.0", "greater than or equal to 0"]),
        ({"seeds": [1, 2**63]}, ["seeds.1", "less than or equal"]),
        ({"seeds": ["9" * 5000]}, ["seeds.0"]),
        ({"seeds": [1.5]}, ["seeds.0", "integer"]),
        ({"seeds": [True]}, ["seeds.0", "integer"]),
        ({"seeds": ["seven"]}, ["seeds.0", "integer"]),
        ({"seeds": 7}, ["seeds", "list"]),
        ({"seeds": [1] * 37}, ["36"]),
        ({"count": 37}, ["36"]),
        ({"count": 0}, ["count"]),
        ({"count": "2"}, ["count"]),
        ({"count": 10**30}, ["36"]),
        ({"seeds": [1], "count": 1}, ["seeds and count"]),
        ({"psi": 2.5}, ["psi", "2"]),
        ({"psi": "wild"}, ["psi", "number"]),
        ({"size": 300}, ["size", "128, 256, 512"]),
        ({"size": 512.5}, ["size"]),
        ({"recipes": [RECIPE], "psi": 1}, ["recipes and psi"]),
        ({"recipes": [RECIPE]}, ["weights"]),
        ({"recipes": [RECIPE | {"seed": -1}]}, ["recipes.0.seed"]),
        ({"recipes": [RECIPE | {"mood": 1}]}, ["recipes.0.mood"]),
        ({"recipes": [{}]}, ["recipes.0", "required"]),
        ({"recipes": [RECIPE | {"size": 4096}] * 3}, ["megapixels"]),
    ],
)
def test_a_wrong_field_is_named_with_the_remedy(client, body, words):
    reason = refusal(client.post("/api/v1/avatars", json=body), 422)
    for word in words:
        assert word in reason
    assert len(reason) < 400


def test_a_field_that_cannot_be_written_is_refused_like_others(client):
    for body, word in (
        (b'{"\\ud800": 1}', "there is no field '\\ud800'"),
        (b'{"attributes": {"\\ud800": "pink"}}', "attributes"),
    ):
        response = client.post(
            "/api/v1/avatars", content=body, headers={"content-type": "application/json"}
        )
        assert word in refusal(response, 422)


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("variations", {}, "recipe"),
        ("variations", {"recipe": RECIPE, "strength": 2}, "strength"),
        ("variations", {"recipe": RECIPE, "n": 37}, "36"),
        ("variations", {"recipe": RECIPE, "start": 10**9}, "start"),
        ("variations", {"recipe": RECIPE, "strenth": 0.2}, "did you mean 'strength'"),
        ("recolourings", {"recipe": RECIPE}, "attribute"),
        ("recolourings", {"recipe": RECIPE, "attribute": "eye"}, "did you mean 'eyes'"),
        ("recolourings", {"recipe": RECIPE, "attribute": "style"}, "would change the character"),
    ],
)
def test_so_it_is_for_variations_and_recolourings(client, path, body, word):
    assert word in refusal(client.post(f"/api/v1/avatars/{path}", json=body), 422)


@pytest.mark.parametrize(
    "content",
    [b"{", b"\xff\xfe", b"[" * 100_000, b'{"count":' + b"1" * 5000 + b"}", b'{"psi": NaN', b"'x'"],
)
def test_what_is_not_json_is_refused(client, content):
    response = client.post(
        "/api/v1/avatars", content=content, headers={"content-type": "application/json"}
    )
    assert refusal(response, 400)


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"1", b'"x"'])
def test_what_is_not_an_object_is_refused(client, content):
    response = client.post(
        "/api/v1/avatars", content=content, headers={"content-type": "application/json"}
    )
    assert "expected a JSON object" in refusal(response, 422)


@pytest.mark.parametrize("depth", [900, 3000, 100_000])
def test_json_of_any_depth_is_refused_and_the_connection_goes_on(client, depth):
    for path in ("/api/v1/avatars", "/gradio_api/queue/join", "/gradio_api/call/v2/create"):
        for before, after in ((b'{"a":', b"}"), (b'{"recipes": [[', b"]]}")):
            body = before * depth + b"1" + after * depth
            response = client.post(path, content=body, headers={"content-type": "application/json"})
            assert response.status_code in (400, 422)
    assert client.get("/api/v1/health").status_code == 200


def test_a_form_in_place_of_json_is_refused(client):
    assert "application/json" in refusal(client.post("/api/v1/avatars", data={"count": "1"}), 422)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"not a picture", "not a PNG"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "not a readable picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n(x) run", "not a PNG"),
    ],
)
def test_a_file_that_is_no_picture_is_refused(client, content, word):
    response = client.post("/api/v1/recipe", files={"file": ("a.png", content)})
    assert word in refusal(response, 422)


def test_a_picture_without_a_recipe_gets_a_clear_answer(client):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "png")
    response = client.post("/api/v1/recipe", files={"file": ("a.png", buffer.getvalue())})
    assert "no recipe in this picture" in refusal(response, 422)


def test_a_missing_file_is_named(client):
    assert "file" in refusal(client.post("/api/v1/recipe"), 422)
    assert "file" in refusal(client.post("/api/v1/recipe", files={"image": b"x"}), 422)


def test_other_paths_and_methods_are_told_where_the_description_is(client):
    assert "/docs" in refusal(client.get("/api/v1/nothing"), 404)
    for method in ("GET", "DELETE", "OPTIONS", "HEAD"):
        response = client.request(method, "/api/v1/avatars")
        if method != "HEAD":
            assert "POST" in refusal(response, 405)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert client.head("/api/v1/health").status_code == 200


def test_the_openapi_description_lists_every_route(client):
    description = client.get("/api/v1/openapi.json").json()
    assert set(description["paths"]) == {
        "/api/v1/avatars",
        "/api/v1/avatars/variations",
        "/api/v1/avatars/recolourings",
        "/api/v1/mixes",
        "/api/v1/sketches",
        "/api/v1/edits",
        "/api/v1/sliders",
        "/api/v1/exports",
        "/api/v1/morphs",
        "/api/v1/recipe",
        "/api/v1/attributes",
        "/api/v1/info",
        "/api/v1/health",
    }


def test_the_openapi_description_of_a_recipe_is_complete(client):
    description = client.get("/api/v1/openapi.json").json()
    described = description["components"]["schemas"]["AvatarOut"]["properties"]["recipe"]
    assert set(described["properties"]) == set(Recipe.model_fields)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
seeds = st.integers(-1, 2**64) | st.integers(0, 2**64).map(str)
values = st.recursive(
    scalars | seeds,
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)
recipes = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.just(value) | values for name, value in RECIPE.items()},
        "variation": values | st.lists(st.fixed_dictionaries({"seed": seeds, "strength": values})),
    },
)
bodies = values | st.fixed_dictionaries(
    {"size": st.just(128) | values},
    optional={
        "seeds": values | st.lists(seeds, max_size=2),
        "count": st.integers(-1, 2) | values,
        "attributes": values
        | st.dictionaries(
            st.sampled_from(["hair", "eyes", "style", "size"]),
            st.sampled_from(["pink", "tv", "any", "unknown"]) | values,
        ),
        "psi": st.floats() | values,
        "recipe": recipes,
        "recipes": st.lists(recipes, max_size=2),
        "strength": values,
        "n": st.integers(-1, 2) | values,
        "start": values,
        "attribute": st.sampled_from(["hair", "style"]) | values,
    },
)


def test_names_of_fields_cannot_break_the_line_of_a_refusal(client):
    assert "there is no field '?['" in refusal(
        client.post("/api/v1/avatars", json={"\x1b[": 1}), 422
    )
    assert "there is no field ' '" in refusal(client.post("/api/v1/avatars", json={"\n": 1}), 422)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(["", "/variations", "/recolourings"]), body=bodies)
def test_no_body_whatever_makes_the_server_fail(client, path, body):
    # Python writes NaN, infinities and halves of surrogate pairs, which strict JSON has not.
    response = client.post(
        f"/api/v1/avatars{path}",
        content=json.dumps(body),
        headers={"content-type": "application/json"},
    )
    if response.status_code != 200:
        assert response.status_code in (400, 422, 503)
        refusal(response, response.status_code)


def test_children_of_two_characters_are_drawn_and_drawn_again(client, pipe):
    parents = draw(client, seeds=[1, 2], size=128)
    recipes = [avatar["recipe"] for avatar in parents]
    children = draw(client, "mixes", recipes=recipes, n=2, shape=1, colours=2)
    assert draw(client, recipes=[children[1]["recipe"]]) == children[1:]
    assert children[0]["recipe"]["attributes"]["hair"] == recipes[1]["attributes"]["hair"]
    refused = client.post("/api/v1/mixes", json={"recipes": recipes, "shape": 3})
    assert "shape comes from one of the 2" in refusal(refused, 422)


def test_a_picture_becomes_a_character_while_one_watches(client, pipe):
    (avatar,) = pipe.generate(5, size=128, hair="blue")
    picture = encode_png(Image.fromarray(np.asarray(avatar.image)))
    form = {"steps": "6", "size": "128", "whole": "true", "progress": "true"}
    response = client.post("/api/v1/edits", files={"file": picture}, data=form)
    assert response.status_code == 200, response.text
    *lines, result = [json.loads(line) for line in response.text.splitlines()]
    assert [line["done"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert Image.open(io.BytesIO(base64.b64decode(lines[-1]["picture"]))).size == (128, 128)
    assert result["verdict"] == "close"
    assert draw(client, recipes=[result["avatar"]["recipe"]]) == [result["avatar"]]
    for form, message in [({"steps": "201"}, "from 0 to 200"), ({"face": "0"}, "from 1")]:
        refused = client.post("/api/v1/edits", files={"file": picture}, data=form)
        assert message in refusal(refused, 422)
    assert "not a readable picture" in refusal(
        client.post("/api/v1/edits", files={"file": b"x"}), 422
    )


def _in_base64(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


def test_a_sketch_becomes_avatars_and_what_is_none_is_refused_by_name(client, pipe):
    page = Image.new("RGB", (96, 96), "white")
    empty = _in_base64(page)
    ImageDraw.Draw(page).ellipse((20, 10, 76, 80), outline="black", width=2)
    body = {"sketch": _in_base64(page), "attributes": {"hair": "pink"}, "size": 128}
    clean = client.post("/api/v1/sketches", json=body | {"follow": 0.0, "n": 2}).json()
    assert len(clean["avatars"]) == 2
    best, second = clean["avatars"]
    assert best["follows"] >= second["follows"]
    assert best["recipe"]["attributes"]["hair"] == "pink"
    assert draw(client, recipes=[best["recipe"]])[0]["png"] == best["png"]
    assert {"long hair", *pipe.attributes["style"]} <= clean["seen"].keys()
    address = "data:image/png;base64," + body["sketch"]
    [painted] = client.post(
        "/api/v1/sketches", json=body | {"sketch": address, "follow": 1.0, "hints": empty}
    ).json()["avatars"]
    assert painted["painted"]
    for wrong, reason in (
        ({"sketch": empty}, "empty"),
        ({"sketch": "~"}, "sketch: not a picture in base64"),
        ({"hints": base64.b64encode(b"no picture").decode()}, "hints: "),
        ({"size": 100}, "no size 100"),
        ({"attributes": {"hair": "pinc"}}, "did you mean 'pink'"),
    ):
        assert reason in refusal(client.post("/api/v1/sketches", json=body | wrong), 422)
