"""Whole evaluations of a tiny generator."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from avatargan.cli import main
from avatargan.dataset import open_dataset
from avatargan.errors import DatasetError, OptionError
from avatargan.evaluation import (
    METRICS,
    Evaluation,
    EvaluationOptions,
    estimate_work,
    evaluation_page,
    load_lpips,
    run_evaluation,
)
from avatargan.evaluation import samples as samples_module
from avatargan.evaluation.features import InceptionFeatures
from avatargan.evaluation.gallery import Extremes, Pair
from avatargan.pipeline import AvatarPipeline
from avatargan.tagging import load_tagger
from tests.conftest import write_generator
from tests.evaluation.conftest import write_tagger
from tests.evaluation.test_features import LooksLikeLpips, save_script

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def prepare(generator_weights, tagger_weights, faces):
    """Return what makes an evaluation of the tiny generator."""
    pipeline = AvatarPipeline.load(generator_weights, device="cpu")
    tagger = load_tagger(tagger_weights)

    def make(*, data=None, judge=None, inception=None, lpips=None, **options):
        options = EvaluationOptions(**{"samples": 100, "split": "all", **options})
        return Evaluation(
            pipeline,
            generator_weights,
            data or open_dataset(faces),
            judge or tagger,
            options,
            inception=inception,
            lpips=lpips,
        )

    return make


@pytest.fixture(scope="module")
def found(prepare, tmp_path_factory):
    """Findings and gallery of everything at once, with a stand-in for LPIPS."""
    folder = tmp_path_factory.mktemp("found")
    lpips = load_lpips(save_script(LooksLikeLpips(), folder / "lpips.pt"))
    return run_evaluation(prepare(lpips=lpips, cache_folder=folder / "cache"))


def metrics_of(findings):
    return findings.document()["metrics"]


def all_but_memorisation():
    return tuple(name for name in METRICS if name != "memorisation")


def test_every_figure_says_what_it_was_made_from(found, generator_weights):
    document = found[0].document()
    assert document["samples"] == 100
    assert document["resolution"] == 24  # the real pictures are smaller than the 32 px drawn
    assert len(document["weights_sha256"]) == len(document["dataset_sha256"]) == 64
    for name in ("fid", "kid", "precision_recall", "path_length"):
        for figure in document["metrics"][name]:
            assert figure["seed"] == 0
            assert len(figure["features"]["sha256"]) == 64
            assert figure.get("samples", figure.get("paths")) in (100, 20)
    assert document["metrics"]["fid"][0]["real"] == 100
    json.dumps(document, allow_nan=False)


def test_only_what_the_judge_knows_is_judged_and_the_rest_is_said(found):
    findings, _ = found
    assert list(findings.accuracy) == ["hair", "glasses"]
    assert list(findings.accuracy["hair"].samples.by_choice) == ["pink", "blue"]
    assert list(findings.accuracy["hair"].real.by_choice) == ["blue", "green", "pink"]
    assert list(findings.leakage.drift) == ["style", "hair", "glasses"]
    assert list(findings.leakage.drift["style"]) == ["hair", "glasses"]
    notes = " ".join(findings.notes)
    assert "does not know style" in notes
    assert "these choices of hair, which are not judged: teal" in notes
    assert "the generator does not know were not asked for: green" in notes


def test_identity_is_measured_on_colours_alone(found):
    identity = {measure.name: drift for measure, drift in found[0].identity.items()}
    assert identity.keys() == {"edges", "lpips"}
    assert identity["edges"].by_attribute.keys() == {"hair", "glasses"}
    assert identity["edges"].characters == 10
    assert 0 < identity["lpips"].by_attribute["hair"] < identity["lpips"].other_characters


def test_path_lengths_are_measured_in_both_spaces(found):
    lengths = {measure.name: own for measure, own in found[0].path_lengths.items()}
    assert lengths.keys() == {"tagger", "lpips"}
    assert all(own.keys() == {"z", "w"} for own in lengths.values())
    assert all(length.value > 0 for own in lengths.values() for length in own.values())


def test_without_enough_test_pictures_memorisation_is_left_out_and_said(found, prepare):
    findings, _ = found
    assert not findings.memorisation
    assert any("There is no memorisation: the test split has" in note for note in findings.notes)
    with pytest.raises(OptionError, match="memorisation cannot be measured: the test split has"):
        prepare(metrics=("memorisation",))


def test_results_do_not_depend_on_the_batch(prepare, found, monkeypatch):
    monkeypatch.setattr(samples_module.batches, "__defaults__", (7,))
    again, _ = run_evaluation(prepare())
    documents = [metrics_of(findings) for findings in (again, found[0])]
    for document in documents:
        document["path_length"] = [
            row for row in document["path_length"] if row["features"]["name"] == "tagger"
        ]
        document["identity"] = document["identity"][:1]
    # Means over batches are merged in another order: equal but for the last digits.
    assert rounded(documents[0]) == rounded(documents[1])


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def test_another_seed_gives_other_samples(prepare):
    one, other = (
        metrics_of(run_evaluation(prepare(seed=seed, metrics=("kid",)))[0])["kid"][0]["value"]
        for seed in (0, 1)
    )
    assert one != other


class ByColour:
    """A judge that sees the colour in the middle of a picture, and a generator's ideal."""

    sha256 = "0" * 64

    def __init__(self, tagger):
        self.attributes = tagger.attributes

    def features(self, pictures):
        return pictures.mean((1, 2)).astype(np.float32)

    def probabilities(self, pictures):
        shade = pictures[:, :, :, 0].mean((1, 2)) / 255
        return {
            "hair": np.stack([shade, 0 * shade, 1 - shade], axis=1).astype(np.float32),
            "glasses": np.stack([0.5 + 0 * shade] * 2, axis=1).astype(np.float32),
        }


def test_leakage_is_found_by_what_the_judge_says(prepare, tagger_weights):
    judge = ByColour(load_tagger(tagger_weights))
    findings, _ = run_evaluation(prepare(judge=judge, metrics=("leakage",)))
    drift = findings.leakage.drift
    assert drift["hair"]["glasses"] == 0  # this judge is never moved about glasses
    assert drift["glasses"]["hair"] > 0  # the tiny generator changes all colours with anything
    assert set(metrics_of(findings)) == {"leakage"}


def test_real_pictures_split_in_two_tell_what_could_be_reached(prepare, faces, tmp_path):
    lines = (faces / "tags.csv").read_text().splitlines()
    tags = tmp_path / "tags.csv"
    with_split = [f"{lines[0]},split"]
    with_split += [f"{line},{('train', 'test')[i % 2]}" for i, line in enumerate(lines[1:])]
    tags.write_text("\n".join(with_split) + "\n")
    findings, gallery = run_evaluation(
        prepare(
            data=open_dataset(faces, tags=tags),
            split="test",
            metrics=("fid", "kid", "precision-recall", "memorisation"),
        )
    )
    (row,) = metrics_of(findings)["kid"]
    assert row["training_pictures_instead"]["pictures"] == 100
    # Real pictures are nearer to real ones than blots of an untrained generator are.
    assert row["training_pictures_instead"]["value"] < row["value"]
    memorisation = {measure.name: own for measure, own in findings.memorisation.items()}
    assert memorisation.keys() == {"pixels-16", "tagger"}
    assert memorisation["pixels-16"].training == 120
    assert findings.copies.samples == 0
    assert len(gallery.neighbours["tagger"]) == 12
    assert len(gallery.distances["pixels-16"][1]) == 120 - findings.copies.test_pictures


def test_test_pictures_that_are_copies_do_not_count_as_unseen(prepare, faces, tmp_path):
    from PIL import Image, ImageOps

    folder = tmp_path / "mirrored"
    folder.mkdir()
    lines = ["file,hair,glasses,split"]
    for index in range(120):
        with Image.open(faces / f"{index:03}.png") as picture:
            picture.save(folder / f"{index:03}.png")
            other = picture if index >= 60 else ImageOps.mirror(picture)
            if index < 60:
                other.save(folder / f"copy{index:03}.png")
        split = "train" if index < 60 else "test"
        lines.append(f"{index:03}.png,pink,yes,{split}")
        if index < 60:
            lines.append(f"copy{index:03}.png,pink,yes,{'test' if index < 20 else 'train'}")
    (folder / "tags.csv").write_text("\n".join(lines) + "\n")
    evaluation = prepare(data=open_dataset(folder), split="test", metrics=("memorisation",))
    findings, _ = run_evaluation(evaluation)
    assert findings.copies.test_pictures == 20
    assert {own.unseen for own in findings.memorisation.values()} == {60}
    assert any("20 of the 80 test pictures are copies" in note for note in findings.notes)


def test_the_page_shows_everything(found):
    html = evaluation_page(*found).html()
    for heading in (
        "Samples",
        "Attribute accuracy",
        "Leakage",
        "Identity drift",
        "Perceptual path length",
        "How it was measured",
    ):
        assert f"<h2>{heading}</h2>" in html
    assert found[0].subject.weights_sha256 in html
    assert html.count('src="data:image/webp') == 2  # samples and moved edges


def test_the_gallery_keeps_the_worst_of_each_character():
    picture = np.zeros((2, 2, 3), np.uint8)
    extremes = Extremes(2)
    for group, score in (("a", 0.1), ("b", 0.5), ("a", 0.7), ("a", 0.6), ("c", 0.3), ("d", 0.4)):
        extremes.offer(group, score, Pair(picture, picture, (group, str(score))))
    assert [pair.captions for pair in extremes.pairs()] == [("a", "0.7"), ("b", "0.5")]


@pytest.mark.slow
def test_the_estimate_counts_what_is_really_drawn_and_looked_at(prepare, monkeypatch):
    evaluation = prepare(metrics=all_but_memorisation())
    work = estimate_work(evaluation)
    drawn = looks = 0
    real_pictures_of = type(evaluation.plan).pictures
    real_render = AvatarPipeline.render

    def count_pictures(self, recipes):
        nonlocal drawn
        for picture in real_pictures_of(self, recipes):
            drawn += 1
            yield picture

    def count_rendered(self, w, palette, size=None):
        nonlocal drawn
        # Samples are rendered too: only the paths come here without being counted above.
        from_path = sys._getframe(1).f_code.co_name == "draw_steps"
        drawn += len(w) if from_path else 0
        return real_render(self, w, palette, size)

    judge = evaluation.judge.judge
    real_probabilities = type(judge).probabilities

    def count_looks(self, pictures):
        nonlocal looks
        looks += len(pictures)
        return real_probabilities(self, pictures)

    monkeypatch.setattr(type(evaluation.plan), "pictures", count_pictures)
    monkeypatch.setattr(AvatarPipeline, "render", count_rendered)
    monkeypatch.setattr(type(judge), "probabilities", count_looks)
    run_evaluation(evaluation)
    assert drawn == work.drawn == 100 + 10 * (2 + 3 + 2) + 20 * 2 * 2
    assert looks == work.looks["judge"] == 100 + 100 + 70
    assert work.seconds > 0


def test_too_few_pictures_are_refused(prepare, faces):
    with pytest.raises(OptionError, match="99 samples are too few"):
        prepare(samples=99)
    some = open_dataset(faces).subset(range(40))
    with pytest.raises(DatasetError, match=r"has 40 pictures, fid needs at least 50"):
        prepare(data=some, metrics=("fid", "accuracy"))
    with pytest.raises(DatasetError, match=r"the test split of .* --split all takes every"):
        prepare(split="test", metrics=("kid",))


def test_a_small_set_goes_through_without_what_is_impossible(prepare, faces):
    findings, _ = run_evaluation(prepare(data=open_dataset(faces).subset(range(26))))
    metrics = metrics_of(findings)
    assert not metrics.keys() & {"fid", "kid", "precision_recall", "memorisation"}
    assert metrics["accuracy"]
    assert any("has 26 pictures, and they need at least 50" in note for note in findings.notes)


def test_a_judge_that_made_the_tags_itself_is_not_measured_by_them(prepare, faces, tagger_weights):
    own = load_tagger(tagger_weights).sha256
    data = replace(open_dataset(faces).subset(range(26)), taggers=frozenset({own}))
    findings, _ = run_evaluation(prepare(data=data, metrics=("accuracy",)))
    assert any("made the tags of these pictures itself" in note for note in findings.notes)
    assert all(found.real is None for found in findings.accuracy.values())
    assert findings.accuracy


def test_a_judge_of_other_attributes_is_said_or_refused(prepare, tmp_path):
    write_tagger(tmp_path / "other.safetensors", {"ears": ["cat", "fox", "unknown"]})
    judge = load_tagger(tmp_path / "other.safetensors")
    findings, _ = run_evaluation(prepare(judge=judge, metrics=None, samples=100))
    assert not findings.accuracy
    assert findings.leakage is None
    assert findings.comparisons
    with pytest.raises(OptionError, match="accuracy cannot be measured: the judge knows none"):
        prepare(judge=judge, metrics=("accuracy",))


def test_weights_without_a_style_can_be_evaluated(tagger_weights, faces, tmp_path):
    weights = tmp_path / "plain.safetensors"
    write_generator(weights, {"hair": ["pink", "blue"], "hat": ["none"]})
    pipeline = AvatarPipeline.load(weights, device="cpu")
    options = EvaluationOptions(samples=100, split="all", metrics=("path-length", "identity"))
    evaluation = Evaluation(
        pipeline, weights, open_dataset(faces), load_tagger(tagger_weights), options
    )
    findings, _ = run_evaluation(evaluation)
    (lengths,) = findings.path_lengths.values()
    assert lengths["z"].value > 0
    (drift,) = findings.identity.values()
    assert list(drift.by_attribute) == ["hair"]  # there is but one hat


def test_inception_stands_beside_the_tagger(prepare, tmp_path):
    class FakeNetwork:
        path, sha256 = tmp_path / "inception.pt", "1" * 64

        def __call__(self, pictures):
            import torch

            random = torch.Generator().manual_seed(0)
            return pictures.mean((2, 3)) @ torch.randn(3, 2048, generator=random)

    inception = InceptionFeatures(FakeNetwork())
    findings, _ = run_evaluation(prepare(inception=inception, metrics=("kid", "precision-recall")))
    for metric in ("kid", "precision_recall"):
        names = [row["features"]["name"] for row in metrics_of(findings)[metric]]
        assert names == ["tagger", "inception"]


def test_a_frechet_distance_of_too_few_pictures_is_said_to_be_biased(prepare, tagger_weights):
    class Wide(ByColour):
        def features(self, pictures):
            return pictures[:, ::2, ::2, 0].reshape(len(pictures), -1).astype(np.float32)

    judge = Wide(load_tagger(tagger_weights))
    findings, _ = run_evaluation(prepare(judge=judge, metrics=("fid",)))
    assert any("tagger features (144)" in note for note in findings.notes)


# The command.


def run_command(capsys, *words):
    capsys.readouterr()
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def arguments(generator_weights, tagger_weights, faces):
    return [generator_weights, "--data", faces, "--tagger", tagger_weights, "--split", "all"]


def test_the_command_from_beginning_to_end(tmp_path, generator_weights, tagger_weights, faces):
    run = tmp_path / "run"
    run.mkdir()
    (run / "generator.safetensors").write_bytes(generator_weights.read_bytes())
    out = tmp_path / "out"
    words = ["evaluate", run, "--data", faces, "--samples", 100, "--split", "all"]
    words += ["--tagger", tagger_weights, "--out", out, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "avatargan", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    written = json.loads((out / "results.json").read_text())
    assert printed == {**written, "files": [str(out / "results.json"), str(out / "index.html")]}
    assert written["weights"].endswith("generator.safetensors")
    assert {"fid", "kid", "precision_recall", "accuracy", "leakage", "identity", "path_length"} == (
        set(written["metrics"])
    )
    assert "<h2>Leakage</h2>" in (out / "index.html").read_text()


def test_the_summary_is_for_people(capsys, arguments, tmp_path):
    words = [*arguments, "--metrics", "kid,accuracy", "--samples", 100, "--out", tmp_path / "o"]
    code, out, err = run_command(capsys, "evaluate", *words)
    assert code == 0, err
    assert "kernel distance" in out
    assert "hair accuracy" in out
    assert out.rstrip().endswith("index.html")
    assert "does not know style" in err


def test_a_dry_run_says_how_much_there_is_to_do_and_writes_nothing(capsys, arguments, tmp_path):
    out = tmp_path / "o"
    words = ["evaluate", *arguments, "--samples", 200, "--out", out, "--dry-run"]
    code, text, err = run_command(capsys, *words)
    assert code == 0, err
    assert "350 pictures to draw (200 samples)" in text
    assert "about" in text
    code, text, _ = run_command(capsys, *words, "--json")
    assert json.loads(text)["drawn"] == 350
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--samples", "20"], "20 samples are too few"),
        (["--metrics", "fid,leekage"], "did you mean 'leakage'"),
        (["--split", "tset"], "did you mean 'test'"),
        (["--set", "style"], "--set takes NAME=CHOICE"),
        (["--set", "style=rund"], "did you mean 'round'"),
        (["--psi", "9"], "psi"),
        (["--resolution", "4000"], "compared at 16 to 32 px"),
        (["--inception", "nowhere.pt"], "nowhere.pt: there is no such TorchScript file"),
        (["--tagger", "nowhere.safetensors"], "nowhere.safetensors: there is no such weights"),
        (["--data", "nowhere"], "nowhere: there is no such folder or file"),
        (["--device", "tpu"], "there is no device 'tpu'"),
    ],
)
def test_wrong_options_are_one_line(capsys, arguments, tmp_path, words, message):
    out = tmp_path / "o"
    code, text, err = run_command(
        capsys, "evaluate", *arguments, "--samples", "100", "--out", out, *words
    )
    assert code == 2
    assert text == ""
    assert err.count("\n") == 1
    assert message in err
    assert not out.exists()


def test_results_are_not_overwritten_unless_asked_to(capsys, arguments, tmp_path):
    (tmp_path / "results.json").write_text("mine")
    code, _, err = run_command(capsys, "evaluate", *arguments, "--out", tmp_path)
    assert code == 2
    assert "exists already" in err
    assert (tmp_path / "results.json").read_text() == "mine"


def test_a_folder_that_is_no_run_is_named(capsys, faces, tmp_path):
    code, _, err = run_command(capsys, "evaluate", faces, "--data", faces, "--out", tmp_path / "o")
    assert code == 2
    assert "there is no generator.safetensors in this folder" in err


def test_weights_of_another_kind_are_named(capsys, arguments, tagger_weights, tmp_path):
    words = ["evaluate", tagger_weights, *arguments[1:], "--out", tmp_path / "o"]
    code, _, err = run_command(capsys, *words)
    assert code == 2
    assert "expected weights of a generator" in err
