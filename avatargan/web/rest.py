"""The REST API: JSON in, base64 PNGs with their recipes out."""

import base64
from collections.abc import Generator, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, File, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse

from avatargan.editing.fitting import STEPS, can_edit
from avatargan.editing.pictures import Edit
from avatargan.errors import AvatarGanError, BusyError, OptionError
from avatargan.pipeline import Avatar
from avatargan.recipe import LARGEST_PSI
from avatargan.transparency import can_remove_backgrounds
from avatargan.version import __version__
from avatargan.web.guard import refuse
from avatargan.web.rest_jobs import add_job_routes, morph_formats, morph_sizes
from avatargan.web.schemas import (
    AttributeOut,
    AttributesOut,
    AvatarOut,
    AvatarsOut,
    AvatarsRequest,
    EditOut,
    EditProgressOut,
    HealthOut,
    InfoOut,
    LimitsOut,
    MixesRequest,
    Problem,
    RecipeOut,
    RecolouringsRequest,
    SketchesOut,
    SketchRequest,
    SlidersOut,
    VariationsRequest,
    sliders_of,
)
from avatargan.web.service import AvatarService, EditProgress
from avatargan.web.streams import NDJSON, kind_of, stream_lines

PREFIX = "/api/v1"
#: After which a client that was refused because of the others may try again.
RETRY_SECONDS = 2

_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is not JSON"},
    413: {"model": Problem, "description": "The body is too large"},
    422: {"model": Problem, "description": "A field is wrong; the reason names it"},
    503: {"model": Problem, "description": "Too many requests at once; see `Retry-After`"},
}


def create_router(service: AvatarService) -> APIRouter:
    """Return the routes under ``/api/v1``."""
    router = APIRouter(prefix=PREFIX)

    # Plain functions, which FastAPI runs in threads: they wait for their turn to draw.

    @router.post(
        "/avatars",
        response_model=AvatarsOut,
        responses=_REFUSALS,
        tags=["draw"],
        summary="Draw avatars from seeds, or again from recipes",
    )
    def draw_avatars(request: Request, body: AvatarsRequest) -> Response:
        recipes = body.recipes
        if recipes is None:
            seeds = body.seeds or service.random_seeds(
                body.count or 1, body.attributes, psi=body.psi, any_quality=body.any_quality
            )
            recipes = service.recipes(
                seeds, body.attributes, psi=body.psi, size=body.size, sliders=body.sliders
            )
        return _pictures(request, service.stream(recipes))

    @router.post(
        "/avatars/variations",
        response_model=AvatarsOut,
        responses=_REFUSALS,
        tags=["draw"],
        summary="Draw characters that look like one",
    )
    def draw_variations(request: Request, body: VariationsRequest) -> Response:
        return _pictures(
            request, service.vary(body.recipe, body.strength, body.n, start=body.start)
        )

    @router.post(
        "/avatars/recolourings",
        response_model=AvatarsOut,
        responses=_REFUSALS,
        tags=["draw"],
        summary="Draw one character with every choice of an attribute",
    )
    def draw_recolourings(request: Request, body: RecolouringsRequest) -> Response:
        return _pictures(request, service.recolour(body.recipe, body.attribute))

    add_job_routes(router, service, _REFUSALS)

    @router.post(
        "/mixes",
        response_model=AvatarsOut,
        responses=_REFUSALS,
        tags=["draw"],
        summary="Draw children of two to four characters",
    )
    def draw_mixes(request: Request, body: MixesRequest) -> Response:
        return _pictures(
            request,
            service.mix(
                body.recipes,
                body.n,
                shape=body.shape,
                colours=body.colours,
                strength=body.strength,
                start=body.start,
            ),
        )

    @router.post(
        "/edits",
        responses={**_REFUSALS, 200: {"model": EditOut}},
        response_class=Response,
        tags=["draw"],
        summary="Find the character that comes nearest to a picture",
    )
    def edit_picture(
        file: Annotated[bytes, File(description="a picture with a drawn face")],
        steps: Annotated[int, Form(description="how often it is refined; 0 is quick")] = STEPS,
        size: Annotated[int | None, Form(description="side in pixels")] = None,
        face: Annotated[int, Form(description="which of several, 1 the surest")] = 1,
        whole: Annotated[bool, Form(description="take the middle; look for no face")] = False,
        progress: Annotated[
            bool,
            Form(
                description="answer with lines of JSON, {done, of, picture}, and with the result "
                "in the last one"
            ),
        ] = False,
    ) -> Response:
        events = service.edit(file, steps=steps, size=size, face=face, whole=whole)
        if progress:
            return stream_lines(_edit_lines(events), NDJSON)
        *_, result = events
        return Response(_edit_line(result), media_type="application/json")

    @router.get("/sliders", tags=["read"], summary="The sliders, what they do and how far")
    def sliders() -> SlidersOut:
        return sliders_of(service)

    @router.post(
        "/sketches",
        response_model=SketchesOut,
        responses=_REFUSALS,
        tags=["draw"],
        summary="Turn drawn lines into avatars",
    )
    def draw_sketches(body: SketchRequest) -> Response:
        result = service.sketch(
            *(decode_picture(name, getattr(body, name)) for name in ("sketch", "hints", "labels")),
            follow=body.follow,
            count=body.n,
            size=body.size,
            attributes=body.attributes,
        )
        out = SketchesOut.of(result)
        return Response(out.model_dump_json(), media_type="application/json")

    @router.post(
        "/recipe",
        responses=_REFUSALS,
        tags=["read"],
        summary="Read the recipe inside a PNG",
    )
    def read_recipe(
        file: Annotated[bytes, File(description="a PNG as avatargan saved it")],
    ) -> RecipeOut:
        recipe = service.read_recipe(file)
        return RecipeOut(recipe=recipe, drawable=service.pipeline.can_draw(recipe))

    @router.get("/attributes", tags=["read"], summary="What may be asked for")
    def attributes() -> AttributesOut:
        taxonomy = service.attributes
        return AttributesOut(
            attributes={
                name: AttributeOut(
                    choices=list(taxonomy.offered(name)),
                    default=taxonomy.default(name),
                    identity=name == taxonomy.identity,
                    experimental=list(taxonomy.experimental(name)),
                )
                for name in taxonomy
            },
            sizes=list(service.sizes),
            default_size=service.default_size,
            default_psi=service.default_psi,
            largest_psi=LARGEST_PSI,
        )

    @router.get("/info", tags=["read"], summary="Version, weights and limits")
    def info() -> InfoOut:
        return InfoOut(
            version=__version__,
            weights_sha256=service.pipeline.weights_sha256,
            renderer=service.pipeline.renderer.description,
            edits=can_edit(service.pipeline),
            limits=LimitsOut.of(service.limits),
            transparent=can_remove_backgrounds(),
            morph_formats=morph_formats(),
            morph_sizes=morph_sizes(service),
        )

    @router.get("/health", tags=["read"], summary="Whether the server is up")
    def health() -> HealthOut:
        return HealthOut()

    methods = {
        route.path: ", ".join(sorted(route.methods or ()))
        for route in router.routes
        if isinstance(route, APIRoute)
    }

    # Without it the browser app, which has all other paths, would answer.
    @router.api_route(
        "/{path:path}",
        methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"],
        include_in_schema=False,
    )
    def nothing_here(path: str) -> JSONResponse:
        path = f"{PREFIX}/{path}"
        if path in methods:
            return refuse(405, f"{path} takes {methods[path]} only", allow=methods[path])
        return refuse(404, f"there is no {path}; the API is described at /docs")

    return router


def add_error_handlers(app: FastAPI) -> None:
    """Turn errors that a client can mend into one line each."""
    app.add_exception_handler(RequestValidationError, explain_invalid_body)
    app.add_exception_handler(AvatarGanError, _explain_refusal)


def _edit_lines(
    events: Generator[EditProgress | Edit, None, None],
) -> Generator[bytes, None, None]:
    try:
        for event in events:
            yield _edit_line(event) + b"\n"
    finally:
        events.close()


def _edit_line(event: EditProgress | Edit) -> bytes:
    if isinstance(event, Edit):
        return EditOut.of(event).model_dump_json().encode()
    return EditProgressOut.of_progress(event).model_dump_json().encode()


def decode_picture(name: str, text: str | None) -> bytes | None:
    """Return the bytes of a picture in base64, with or without the beginning of a data URL.

    Raises:
        OptionError: it is not base64; the message names the field.
    """
    if text is None:
        return None
    if text.startswith("data:"):
        text = text.partition(";base64,")[2]
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise OptionError(f"{name}: not a picture in base64") from None


def _pictures(request: Request, avatars: Iterable[Avatar]) -> Response:
    if NDJSON in request.headers.get("accept", ""):
        return stream_lines(_lines(avatars), NDJSON)
    # pydantic writes megabytes of base64 several times faster than FastAPI's generic encoder.
    return Response(AvatarsOut.of(avatars).model_dump_json(), media_type="application/json")


def _lines(avatars: Iterable[Avatar]) -> Generator[bytes, None, None]:
    for avatar in avatars:
        yield AvatarOut.of(avatar).model_dump_json().encode() + b"\n"


def _explain_refusal(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, BusyError):
        return refuse(503, str(error), kind_of(error), **{"retry-after": str(RETRY_SECONDS)})
    return refuse(422, str(error), kind_of(error))


def explain_invalid_body(_: Request, error: Exception) -> JSONResponse:
    """Answer a request whose body or parameters are not as described, naming the first that is."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return refuse(400, f"the body is not JSON: {first['ctx']['error']}")
    # The first part of the place says "body".
    place = ".".join(str(part) for part in first["loc"][1:])
    message = str(first["msg"]).removeprefix("Value error, ")
    if not place:
        if first["type"] in ("missing", "model_attributes_type", "dict_type"):
            message = "expected a JSON object, sent with 'Content-Type: application/json'"
        return refuse(422, f"the body: {message}")
    return refuse(422, f"{place}: {message[0].lower()}{message[1:]}")
