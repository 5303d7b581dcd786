"""Making both sketch networks for a generator, step by step, each of which can be carried on with.

A folder takes everything: the characters that were drawn, what was learnt of them, checkpoints, and
in the end the two weights files that :meth:`avatargan.sketching.Sketcher.load` reads.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from avatargan.errors import OptionError, WeightsError
from avatargan.files import write_atomically
from avatargan.networks import ConditionalGenerator
from avatargan.rendering import Renderer
from avatargan.sketching.characters import DrawnCharacters, character, draw_characters
from avatargan.sketching.encoder_training import (
    EncoderOptions,
    EncoderTrainer,
    Learnt,
    draw_sketches,
    learn_characters,
    learnt_from,
    learnt_tensors,
)
from avatargan.sketching.finder import CharacterFinder, mapping_sha256, save_finder
from avatargan.sketching.painter_training import PainterOptions, PainterTrainer
from avatargan.sketching.painting import save_painter
from avatargan.sketching.traits import TRAITS, fit_traits, measure_palette
from avatargan.weights import FORMAT, read_weights
from avatargan.weights_header import SHIPPED_SKETCH_ENCODER, SHIPPED_SKETCH_PAINTER

Bytes = NDArray[np.uint8]
#: Shows how a stage goes on: what it is called and how many steps it has, to a function that is
#: called with the number of steps that were just done and what they came to.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int, str], None]]]

CHECKPOINT_ROLE = "sketch checkpoint"
#: Steps between two checkpoints.
INTERVAL = 25


@dataclass(frozen=True)
class SketchTrainingOptions:
    """How both networks are made; the defaults are those of the shipped weights.

    Attributes:
        characters: how many characters of its own the generator draws; the bank has all of them.
        masked: of how many masks are made, for traits and the colours of choices.
        encoder: of the encoder.
        painter: of the painter.
        encoder_minutes: the encoder's training ends then, if its steps take longer.
        painter_minutes: the same of the painter's.
    """

    characters: int = 4000
    masked: int = 1000
    encoder: EncoderOptions = field(default_factory=EncoderOptions)
    painter: PainterOptions = field(default_factory=PainterOptions)
    encoder_minutes: float | None = None
    painter_minutes: float | None = None

    def check(self) -> None:
        """Refuse what cannot be trained with.

        Raises:
            OptionError: an option is out of range.
        """
        if self.characters < 20:
            raise OptionError(f"20 characters are the fewest to learn from, not {self.characters}")
        if not 0 <= self.masked <= self.characters:
            raise OptionError("masks can be made of the characters that are drawn, not of more")
        self.encoder.check()
        self.painter.check()


class SketchTraining:
    """Makes the sketch networks of a generator.

    Args:
        generator: whose characters sketches are to become.
        renderer: of the generator.
        folder: where everything goes.
        others: more pictures ``[N, S, S, 3]`` whose lines are learnt from, set by set.
        options: see there.
        progress: see there.
        report: called with a line about what was found.
        resume: carry on with checkpoints that are in the folder.
    """

    def __init__(
        self,
        generator: ConditionalGenerator,
        renderer: Renderer,
        folder: str | os.PathLike[str],
        others: list[Bytes],
        options: SketchTrainingOptions,
        *,
        progress: Progress,
        report: Callable[[str], None],
        resume: bool = False,
    ) -> None:
        options.check()
        self.generator, self.renderer, self.folder = generator, renderer, Path(folder)
        self.others, self.options = others, options
        self.progress, self.report, self.resume = progress, report, resume

    def _run(self, options: object) -> str:
        """Identify a training by what decides its outcome."""
        described = [
            options,
            self.options.characters,
            self.options.masked,
            mapping_sha256(self.generator),
            [list(each.shape) for each in self.others],
        ]
        return hashlib.sha256(json.dumps(described).encode()).hexdigest()

    def draw(self) -> DrawnCharacters:
        """Draw the characters, or take those that are in the folder."""
        options = self.options
        place = self.folder / f"characters-{mapping_sha256(self.generator)[:12]}"
        with self.progress("drawing characters", options.characters) as advance:
            return draw_characters(
                self.generator,
                self.renderer,
                place,
                options.characters,
                options.masked,
                lambda count: advance(count, ""),
            )

    def train_encoder(self, drawn: DrawnCharacters) -> Path:
        """Make the encoder's weights file, and return it."""
        options = self.options.encoder
        learnt = self._learnt(drawn)
        with self.progress("drawing sketches", options.sketches) as advance:
            sketches = draw_sketches(
                drawn, learnt, self.others, options, lambda count: advance(count, "")
            )
        trainer = EncoderTrainer(sketches, learnt, options)
        checkpoint = self.folder / "sketch-encoder.checkpoint.safetensors"
        self._restore(trainer, checkpoint, asdict(options))
        with self.progress("training the encoder", options.steps - trainer.step) as advance:
            for losses in trainer.run(self.options.encoder_minutes):
                advance(1, _written(losses))
                if trainer.step % INTERVAL == 0:
                    self._keep(trainer, checkpoint, asdict(options))
        path = self.folder / SHIPPED_SKETCH_ENCODER
        save_finder(path, self._finder(drawn, learnt, trainer), self.generator)
        checkpoint.unlink(missing_ok=True)
        (self.folder / "sketch-learnt.checkpoint.safetensors").unlink(missing_ok=True)
        return path

    def train_painter(self, drawn: DrawnCharacters) -> Path:
        """Make the painter's weights file, and return it."""
        options = self.options.painter
        trainer = PainterTrainer([drawn.pictures, *self.others], options)
        checkpoint = self.folder / "sketch-painter.checkpoint.safetensors"
        self._restore(trainer, checkpoint, asdict(options))
        with self.progress("training the painter", options.steps - trainer.step) as advance:
            for losses in trainer.run(self.options.painter_minutes):
                advance(1, _written(losses))
                if trainer.step % INTERVAL == 0:
                    self._keep(trainer, checkpoint, asdict(options))
        path = self.folder / SHIPPED_SKETCH_PAINTER
        save_painter(path, trainer.finish(), {"steps": str(trainer.step)})
        checkpoint.unlink(missing_ok=True)
        return path

    def _learnt(self, drawn: DrawnCharacters) -> Learnt:
        """Return what is learnt before the encoder; kept for when training is carried on."""
        path = self.folder / "sketch-learnt.checkpoint.safetensors"
        options = self.options.encoder
        run = self._run([options.code_dim, options.edges, options.seed])
        if self.resume and path.exists():
            kept = read_weights(path, CHECKPOINT_ROLE)
            if kept.metadata.get("run") == run:
                return learnt_from(kept.tensors)
        learnt = learn_characters(self.generator, drawn, options, self.report)
        metadata = {"format": FORMAT, "role": CHECKPOINT_ROLE, "run": run}
        write_atomically(path, save(learnt_tensors(learnt), metadata), overwrite=True)
        return learnt

    def _finder(
        self, drawn: DrawnCharacters, learnt: Learnt, trainer: EncoderTrainer
    ) -> CharacterFinder:
        encoder = trainer.finish()
        trait_weights, trait_biases = fit_traits(learnt.edges, learnt.traits, learnt.basis)
        finder = CharacterFinder(
            w_dim=self.generator.w_dim,
            code_dim=learnt.codes.shape[1],
            edges=learnt.edges.shape[1],
            map_size=learnt.basis.basis.shape[1],
            styles=len(learnt.coordinates.mean),
            traits=TRAITS,
            bank=len(learnt.codes),
            encoder_width=encoder.middle.in_features,
        )
        tensors: Mapping[str, Tensor] = {
            "mean": learnt.coordinates.mean,
            "to_w": learnt.coordinates.to_w,
            "to_code": learnt.coordinates.to_code,
            "visibility": learnt.coordinates.visibility,
            "basis": learnt.basis.basis,
            "bank_edges": learnt.edges,
            "trait_weights": trait_weights,
            "trait_biases": trait_biases,
            **{f"predictor.{k}": v for k, v in learnt.predictor.state_dict().items()},
            **{f"encoder.{k}": v for k, v in encoder.state_dict().items()},
        }
        finder.load_state_dict(tensors)
        finder.palette = measure_palette(drawn, self._choices(len(drawn.masks)))
        return finder

    def _choices(self, count: int) -> list[dict[str, str]]:
        taxonomy = self.generator.attributes
        return [
            {
                name: taxonomy[name][index]
                for name, index in zip(
                    taxonomy.palette, character(self.generator, number).palette, strict=True
                )
            }
            for number in range(count)
        ]

    def _keep(self, trainer: EncoderTrainer | PainterTrainer, path: Path, options: object) -> None:
        metadata = {"format": FORMAT, "role": CHECKPOINT_ROLE, "run": self._run(options)}
        write_atomically(path, save(trainer.state(), metadata), overwrite=True)

    def _restore(
        self, trainer: EncoderTrainer | PainterTrainer, path: Path, options: object
    ) -> None:
        if not self.resume or not path.exists():
            return
        checkpoint = read_weights(path, CHECKPOINT_ROLE)
        if checkpoint.metadata.get("run") != self._run(options):
            raise OptionError(
                f"{path} is of a training with other options or pictures; give the same ones, or "
                "leave --resume out to begin anew"
            )
        try:
            trainer.restore(checkpoint.tensors)
        except (KeyError, RuntimeError) as error:
            raise WeightsError(f"{path}: not a checkpoint of these networks") from error
        self.report(f"carrying on after step {trainer.step}")


def _written(losses: Mapping[str, float]) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in losses.items())
