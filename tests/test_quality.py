"""Dice that fall well: seeds that nobody asked for are those of characters likely drawn well."""

import itertools

import numpy as np
import pytest
import torch

from avatargan import AvatarPipeline
from avatargan.editing.directions import w_space_sha256
from avatargan.errors import WeightsError
from avatargan.export import Exporter, ExportFolder, create_plan, create_studio
from avatargan.quality import MOST_TRIES, Quality, choose_seeds
from avatargan.weights import write_weights


@pytest.fixture(scope="module")
def tiny(other_weights, tmp_path_factory):
    """Small weights with a predictor, for which one of the early features is all that counts."""
    pipeline = AvatarPipeline.load(other_weights, device="cpu")
    path = tmp_path_factory.mktemp("quality") / "quality.safetensors"
    recipes = pipeline.recipes(range(50), psi=1)
    w = torch.from_numpy(np.stack([pipeline.recipe_latents.w_of(recipe) for recipe in recipes]))
    features = pipeline.generator.features_at(8, w).flatten(1)
    weight = torch.zeros(1, features.shape[1])
    weight[0, 0] = 1 / features.std(0)[0]
    tensors = {
        "mean": features.mean(0, keepdim=True),
        "weight": weight,
        "bias": torch.zeros(1),
        "threshold": torch.full((1,), 0.6),
    }
    header = {"role": "quality", "size": "8", "w_space": w_space_sha256(pipeline.generator)}
    write_weights(path, tensors, header)
    pipeline.__dict__["quality"] = Quality.load(path)
    return pipeline


def test_the_predictor_is_a_logistic_regression_on_early_features(tiny):
    (recipe,) = tiny.recipes(3, psi=1)
    w = torch.from_numpy(tiny.recipe_latents.w_of(recipe))[None]
    arrays = tiny.quality.arrays
    first = float(tiny.generator.features_at(8, w).flatten()[0])
    x = (first - arrays["mean"][0, 0]) * arrays["weight"][0, 0]
    assert tiny.quality_of(recipe) == pytest.approx(1 / (1 + np.exp(-x)), abs=1e-4)
    assert tiny.is_good(recipe) == (tiny.quality_of(recipe) >= 0.6)


def test_seeds_are_chosen_in_order_and_misfits_left_out(tiny):
    chosen = tiny.good_seeds(itertools.count(), 10, psi=1)
    good = [seed for seed in range(chosen[-1] + 1) if tiny.is_good(tiny.recipes(seed, psi=1)[0])]
    assert chosen == good
    assert len(good) < chosen[-1] + 1


def test_where_none_is_good_the_best_has_to_do():
    tried = []

    def score(seed):
        tried.append(seed)
        return -abs(seed - 7), False

    assert list(choose_seeds(itertools.count(), 2, score)) == [7, MOST_TRIES]
    assert tried == list(range(2 * MOST_TRIES))


def test_weights_without_a_predictor_take_what_comes(other_weights):
    pipeline = AvatarPipeline.load(other_weights, device="cpu")
    assert pipeline.quality is None
    assert pipeline.good_seeds(itertools.count(5), 3, psi=1) == [5, 6, 7]
    assert pipeline.is_good(pipeline.recipes(1)[0])


def test_exports_leave_misfits_out_and_say_so(tiny, tmp_path):
    def export(name, **options):
        plan = create_plan(tiny, count=6, size=32, psi=1, device="cpu", engine="torch", **options)
        exporter = Exporter(
            plan, ExportFolder(tmp_path / name), create_studio(plan, tiny), tiny.is_good
        )
        list(exporter.run())
        return [picture.recipe for picture in exporter.pictures()], plan

    everything, plan = export("series", allow_duplicates=True)
    assert [recipe.seed for recipe in everything] == list(range(6))
    assert 'rolled_by_quality": false' in (tmp_path / "series" / "manifest.jsonl").read_text()
    rolled, plan = export("dice", allow_duplicates=True, any_quality=False)
    assert plan.quality_sha256 == tiny.quality.sha256
    assert all(tiny.is_good(recipe) for recipe in rolled)
    assert not all(tiny.is_good(recipe) for recipe in everything)
    assert 'rolled_by_quality": true' in (tmp_path / "dice" / "manifest.jsonl").read_text()


def test_a_damaged_predictor_is_named(tmp_path):
    path = tmp_path / "quality.safetensors"
    write_weights(path, {"mean": torch.zeros(1, 4)}, {"role": "quality"})
    with pytest.raises(WeightsError, match="the tensor 'weight' is missing"):
        Quality.load(path)
