"""How fast training is: our loop against a plain one, on pictures of noise.

python -m benchmarks training                     # on the CPU: minutes
python -m benchmarks.training --device cuda --batch 128 --precision bf16 --seconds 20

Needs torch, numpy, Pillow and safetensors alone. Both loops take turns, so that a machine whose
speed drifts drifts for both. The plain loop has the same losses and networks, and none of what
makes ours fast: fakes are drawn anew for each of the two steps, real and fake pictures go through
the critic one after the other, the penalty is computed on the whole batch in every step, and all of
it in float32 without a compiler.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as train.py does

import torch
from torch import Tensor

from avatargan.attributes import Taxonomy
from avatargan.training.augmentation import Augmentation, AugmentationSettings
from avatargan.training.data import Batch
from avatargan.training.distributed import Processes
from avatargan.training.losses import class_loss, critic_loss, generator_loss
from avatargan.training.randomness import StepRandom
from avatargan.training.regularizers import dragan_penalty, dragan_perturbation
from avatargan.training.settings import TrainingSettings
from avatargan.training.trainer import Networks, Trainer

#: What is measured: the network, its resolution, and the batch on a CPU.
SUBJECTS = (("avatar128", 64, 16), ("avatar128", 128, 8), ("dcgan64", 64, 64))
#: As in the shipped weights: 12 hair colours and 10 eye colours.
ATTRIBUTES = Taxonomy(
    {
        "style": ["a", "b"],
        "hair": [*(f"hair{number}" for number in range(12)), "unknown"],
        "eyes": [*(f"eyes{number}" for number in range(10)), "unknown"],
    }
)
ROUNDS = 3


class PlainLoop:
    """The step as one would first write it."""

    def __init__(self, settings: TrainingSettings, device: torch.device) -> None:
        networks = Networks.new(settings, ATTRIBUTES)
        self.generator = networks.generator.to(device).train()
        self.critic = networks.critic.to(device).train()
        self.settings, self.device = settings, device
        self.optimizers = [
            torch.optim.Adam(
                network.parameters(),
                lr=settings.adam_learning_rate,
                betas=settings.family.betas,
                foreach=False,
            )
            for network in (self.generator, self.critic)
        ]
        self.steps = 0
        self.changes = AugmentationSettings(
            settings.shift, settings.cutout, settings.cutout_probability
        )

    def step(self, batch: Batch) -> None:
        """Take one step."""
        settings, size = self.settings, self.settings.batch
        self.steps += 1
        random = StepRandom((self.steps,), device=self.device)
        batch = batch.to(self.device)
        real = batch.real.float() / 127.5 - 1

        def changed(images: Tensor) -> Tensor:
            draw = Augmentation.draw(self.changes, size, settings.picture_size, random)
            return draw(images)

        fake = self.generator.draw(random.normal(size, self.generator.z_dim), batch.fake_labels)
        real_score, classes = self.critic(changed(real), batch.labels)
        fake_score, _ = self.critic(changed(fake.detach()), batch.fake_labels)
        near = dragan_perturbation(
            real, random.uniform(size), random.uniform(size, *real.shape[1:]), real.std()
        )
        loss = critic_loss(real_score, fake_score)
        loss = loss + settings.class_weight * class_loss(classes, batch.labels, ATTRIBUTES)
        loss = loss + settings.penalty_weight * dragan_penalty(
            lambda x: self.critic(changed(x), batch.labels)[0], near
        )
        self._learn(1, loss)
        fake = self.generator.draw(random.normal(size, self.generator.z_dim), batch.fake_labels)
        score, classes = self.critic(changed(fake), batch.fake_labels)
        loss = generator_loss(score)
        loss = loss + settings.class_weight * class_loss(classes, batch.fake_labels, ATTRIBUTES)
        self._learn(0, loss)

    def _learn(self, which: int, loss: Tensor) -> None:
        self.optimizers[which].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers[which].step()


def main() -> None:
    """Print images a second, and ratios of one run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, help="for all networks; by default one for each")
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=6.0, help="for each measurement")
    parser.add_argument("--compile", choices=("auto", "on", "off"), default="auto")
    given = parser.parse_args(sys.argv[1:])
    device = torch.device(given.device)
    if given.device == "cpu":
        torch.set_num_threads(given.threads)
        print(f"CPU, {torch.get_num_threads()} threads; median of {ROUNDS} rounds in turn")
    else:
        torch.backends.cudnn.benchmark = True
        print(f"{torch.cuda.get_device_name()}; median of {ROUNDS} rounds in turn")
    print(f"{'':16}{'batch':>6}{'plain':>10}{'ours':>10}  images/s   ours is faster by")
    for network, resolution, batch in SUBJECTS:
        settings = TrainingSettings(
            network=network,
            resolution=resolution,
            batch=given.batch or batch,
            precision=given.precision,
            compile=given.compile,
        )
        trainer = Trainer(settings, Networks.new(settings, ATTRIBUTES), Processes(device=device))
        loops: dict[str, Callable[[Batch], object]] = {
            "plain": PlainLoop(settings, device).step,
            "ours": trainer.step,
        }
        speeds: dict[str, list[float]] = {name: [] for name in loops}
        for _ in range(ROUNDS):
            for name, step in loops.items():
                speeds[name].append(_images_per_second(step, settings, device, given.seconds))
        plain, ours = (statistics.median(speeds[name]) for name in ("plain", "ours"))
        ratio = statistics.median(
            mine / other for mine, other in zip(speeds["ours"], speeds["plain"], strict=True)
        )
        label = f"{network}@{resolution}"
        print(
            f"{label:16}{settings.batch:>6}{plain:>10.1f}{ours:>10.1f}{'':12}{ratio:.2f} times",
            flush=True,
        )
        for note in trainer.notes:
            print(f"{'':16}{note}")


def _images_per_second(
    step: Callable[[Batch], object],
    settings: TrainingSettings,
    device: torch.device,
    seconds: float,
) -> float:
    """Return the speed of whole periods of the penalty, after one step to warm up."""
    batch = _noise(settings)
    step(batch)
    _wait(device)
    images, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for _ in range(settings.penalty_interval):
            step(batch)
        images += settings.penalty_interval * settings.batch
        _wait(device)
    return images / (time.perf_counter() - start)


def _noise(settings: TrainingSettings) -> Batch:
    side = settings.picture_size
    labels = {
        name: torch.randint(len(ATTRIBUTES.offered(name)), (settings.batch,)) for name in ATTRIBUTES
    }
    pixels = torch.randint(0, 256, (settings.batch, 3, side, side), dtype=torch.uint8)
    return Batch(pixels, labels, labels)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
