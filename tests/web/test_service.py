"""The service: many clients, bounded work, first come first served."""

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from avatargan.errors import (
    AttributeChoiceError,
    BusyError,
    OptionError,
    PictureError,
    RecipeError,
)
from avatargan.pipeline import Avatar, AvatarPipeline
from avatargan.recipe import Recipe, encode_png
from avatargan.web.service import AvatarService, Limits
from avatargan.web.waiting import AbandonedError, Waiter, waiting


@pytest.fixture(scope="module")
def service(pipe: AvatarPipeline) -> Iterator[AvatarService]:
    service = AvatarService(pipe)
    yield service
    service.close()


class HeldPipeline:
    """Draws nothing until it is released, and notes in which order it was asked."""

    def __init__(self, pipe: AvatarPipeline) -> None:
        self.attributes = pipe.attributes
        self.sizes = pipe.sizes
        self.recipes = pipe.recipes
        self.slide = pipe.slide
        self.check_recipe = pipe.check_recipe
        self.renderer = SimpleNamespace(chunk=2)
        self.released = threading.Event()
        self.order: list[int] = []

    def draw(self, recipes: Iterable[Recipe]) -> Iterator[Avatar]:
        for recipe in recipes:
            self.order.append(recipe.seed)
            assert self.released.wait(30)
            yield Avatar(None, recipe)


def held_service(pipe: AvatarPipeline, **limits: float) -> AvatarService:
    return AvatarService(HeldPipeline(pipe), Limits(**limits))


def test_draws_what_the_pipeline_draws(service, pipe):
    [avatar] = service.generate([7], {"hair": "pink"}, size=128)
    [same] = pipe.generate([7], hair="pink", size=128)
    assert avatar.recipe == same.recipe
    assert avatar.to_png() == same.to_png()


def test_recolours_and_varies_a_character(service, pipe):
    [recipe] = service.recipes([3], size=128)
    recoloured = service.recolour(recipe, "hair")
    assert [a.recipe.attributes["hair"] for a in recoloured] == list(
        pipe.attributes.offered("hair")
    )
    assert [a.recipe for a in service.vary(recipe, 0.2, 2, start=1)] == [
        a.recipe for a in pipe.vary(recipe, 0.2, 2, start=1)
    ]


def test_rolled_seeds_are_exact_in_every_json_reader(service):
    seeds = service.random_seeds(36)
    assert len(set(seeds)) > 30
    assert all(0 <= seed < 2**53 for seed in seeds)


@pytest.mark.parametrize("count", [0, 37])
def test_refuses_too_few_or_too_many_pictures(service, count):
    with pytest.raises(OptionError, match="from 1 to 36 pictures"):
        service.recipes([1] * count)


def test_counts_recipes_that_never_end(service):
    [recipe] = service.recipes([3])
    with pytest.raises(OptionError, match="from 1 to 36 pictures"):
        service.draw(iter(lambda: recipe, None))


def test_refuses_more_pixels_than_the_limit(service):
    [recipe] = service.recipes([3])
    large = recipe.model_copy(update={"size": 4096})
    with pytest.raises(OptionError, match="megapixels"):
        service.draw([large] * 3)


@pytest.mark.parametrize("name", ["size", "psi", "seeds", "self", "hari"])
def test_what_is_no_attribute_is_refused_whatever_it_is_called(service, name):
    with pytest.raises(AttributeChoiceError, match="no attribute"):
        service.recipes([1], {name: "pink"})


def test_reads_a_recipe_from_a_png(service):
    [avatar] = service.generate([5], size=128)
    assert service.read_recipe(avatar.to_png()) == avatar.recipe


def test_says_why_there_is_no_recipe(service):
    [avatar] = service.generate([5], size=128)
    with pytest.raises(RecipeError, match="not a PNG"):
        service.read_recipe(b"%!PS-Adobe-3.0 EPSF-3.0")
    with pytest.raises(RecipeError, match="no recipe"):
        service.read_recipe(encode_png(avatar.image))
    with pytest.raises(PictureError):
        service.read_recipe(avatar.to_png()[:200])


def test_requests_beyond_the_limit_are_refused_at_once(pipe):
    service = held_service(pipe, requests=2)
    [recipe] = service.recipes([1])
    with ThreadPoolExecutor(2) as clients:
        waiting = [clients.submit(service.draw, [recipe]) for _ in range(2)]
        while service._admissions._value > 0:
            time.sleep(0.01)
        with pytest.raises(BusyError, match="too many requests"):
            service.draw([recipe])
        service.pipeline.released.set()
        assert [len(request.result(30)) for request in waiting] == [1, 1]
    assert len(service.draw([recipe])) == 1
    service.close()


def test_a_request_that_takes_too_long_is_given_up_and_counted_out(pipe):
    service = held_service(pipe, requests=1, seconds=0.05)
    [recipe] = service.recipes([1])
    with pytest.raises(BusyError, match="not finished within"):
        service.draw([recipe])
    service.pipeline.released.set()
    assert service._admissions._value == 1  # its place is free again
    service.close()


def test_one_picture_does_not_wait_for_all_of_a_large_request(pipe):
    service = held_service(pipe)
    with ThreadPoolExecutor(2) as clients:
        large = clients.submit(service.draw, service.recipes(range(10)))
        while not service.pipeline.order:
            time.sleep(0.01)
        small = clients.submit(service.draw, service.recipes([99]))
        while service._workers._work_queue.qsize() < 1:
            time.sleep(0.01)
        service.pipeline.released.set()
        small.result(30)
        large.result(30)
    assert service.pipeline.order.index(99) == 2  # after the first portion of the large request
    service.close()


def test_a_client_that_leaves_frees_its_place(pipe):
    service = held_service(pipe, requests=2)
    drawn, queued = Waiter(), Waiter()

    def draw(waiter: Waiter) -> list[Avatar]:
        with waiting(waiter):
            return service.draw(service.recipes(range(10)))

    with ThreadPoolExecutor(2) as clients:
        first = clients.submit(draw, drawn)
        while not service.pipeline.order:
            time.sleep(0.01)
        second = clients.submit(draw, queued)
        while service._workers._work_queue.qsize() < 1:
            time.sleep(0.01)
        for waiter, request in ((queued, second), (drawn, first)):
            waiter.leave()
            with pytest.raises(AbandonedError):
                request.result(30)
        assert service._admissions._value == 2
        service.pipeline.released.set()
    assert len(service.draw(service.recipes([99]))) == 1
    assert service.pipeline.order == [0, 1, 99]  # a portion of the first, nothing of the second
    service.close()


def test_a_server_that_stops_refuses_at_once_what_it_has_not_drawn(pipe):
    service = held_service(pipe)
    with ThreadPoolExecutor(1) as clients:
        request = clients.submit(service.draw, service.recipes(range(10)))
        while not service.pipeline.order:
            time.sleep(0.01)
        service.stop()
        for refused in (request.result, lambda _: service.draw(service.recipes([1]))):
            with pytest.raises(BusyError, match="stopping"):
                refused(30)
    service.pipeline.released.set()
    service.close()


def test_many_clients_get_their_own_pictures(service):
    def draw(seed: int) -> Avatar:
        return service.generate([seed], size=128)[0]

    alone = [draw(seed).to_png() for seed in range(8)]
    with ThreadPoolExecutor(8) as clients:
        together = [avatar.to_png() for avatar in clients.map(draw, range(8))]
    assert together == alone
