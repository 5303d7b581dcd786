"""One step of training, and all the state that lasts from step to step."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from avatargan.attributes import Taxonomy
from avatargan.errors import OptionError
from avatargan.networks import ConditionalCritic, ConditionalGenerator
from avatargan.training.adaptation import LOOK_EVERY, adapted, overfitting
from avatargan.training.augmentation import Augmentation, AugmentationSettings
from avatargan.training.compilation import compiled_or_not
from avatargan.training.data import Batch
from avatargan.training.distributed import Processes
from avatargan.training.ema import Ema
from avatargan.training.losses import (
    class_accuracy,
    class_loss,
    critic_loss,
    generator_loss,
    relativistic_critic_loss,
    relativistic_generator_loss,
)
from avatargan.training.randomness import StepRandom, derived_seed
from avatargan.training.regularizers import (
    dragan_penalty,
    dragan_perturbation,
    r1_penalty,
    r2_penalty,
)
from avatargan.training.schedule import learning_rate_factor
from avatargan.training.settings import TrainingSettings

# What the seed's streams are for.
_FIRST_WEIGHTS, _STEP = 10, 11

Metrics = dict[str, Tensor]


@dataclass
class Averages:
    """Means of metrics since they were last read."""

    sums: Metrics = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, metrics: Metrics) -> None:
        """Count the metrics of a step; nothing waits for the device."""
        for name, value in metrics.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def read(self, processes: Processes) -> dict[str, float]:
        """Return the means over the steps and the processes, and begin anew."""
        names = sorted(self.sums)
        if not names:
            return {}
        means = torch.stack([self.sums[name].float() / self.counts[name] for name in names])
        values = processes.mean(means).tolist()
        self.sums, self.counts = {}, {}
        return dict(zip(names, values, strict=True))


@dataclass
class Networks:
    """A generator and the critic that it is trained against."""

    generator: ConditionalGenerator
    critic: ConditionalCritic

    @classmethod
    def new(cls, settings: TrainingSettings, attributes: Taxonomy) -> "Networks":
        """Return networks with first weights that follow from the seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(settings.seed, _FIRST_WEIGHTS))
            family, width = settings.family, settings.width
            return cls(
                family.generator.for_training(attributes, settings.picture_size, width),
                family.critic.for_training(attributes, settings.critic_size, width),
            )


class Trainer:
    """Trains a generator against a critic.

    Args:
        settings: of the run.
        networks: trained in place, on the device of the processes.
        processes: which of the processes this is.

    Attributes:
        images_seen: the position in the run; with the seed it is the state of all chance.
        averages: of the metrics since they were last written.
        strength: of the adaptive augmentation, one number from 0 to 1.
        ema: the average of the generator.
        notes: what a person should know about how this machine trains.
    """

    def __init__(
        self, settings: TrainingSettings, networks: Networks, processes: Processes
    ) -> None:
        self.settings = settings
        self.processes = processes
        self.device = processes.device
        self.notes: list[str] = []
        self.images_seen = 0
        self.averages = Averages()
        self.batch = settings.batch_per_process(processes.count)
        self.bf16 = uses_bf16(settings.precision, self.device)
        on_cuda = self.device.type == "cuda"
        memory_format = torch.channels_last if on_cuda or self.bf16 else torch.contiguous_format
        for network in (networks.generator, networks.critic):
            # torch's own annotations leave this overload out.
            network.to(self.device, memory_format=memory_format)  # type: ignore[call-overload]
            network.train().requires_grad_(True)
        self.generator, self.critic = networks.generator, networks.critic
        frozen = self.critic.early_layers(settings.freeze_critic)
        if settings.freeze_critic and not frozen:
            raise OptionError(f"--freeze-critic: the critic of {settings.network} has no blocks")
        for layer in frozen:
            layer.requires_grad_(False)
        self._learning = [values for values in self.critic.parameters() if values.requires_grad]
        self.strength = torch.zeros((), device=self.device)
        self.ema = Ema(self.generator, settings.ema_half_life)
        self.generator_optimizer = self._adam(self.generator)
        self.critic_optimizer = self._adam(self.critic, self._penalty_share)
        self.run_generator = self._gathering(self._compiled(self.generator, self._try_generator))
        self.run_critic = self._gathering(self._compiled(self.critic, self._try_critic))
        # In the generator's step it is asked for what it thinks, and learns nothing.
        with self._critic_at_rest():
            self.ask_critic = self._compiled(self.critic, self._ask_trial)
        self.augmentation = AugmentationSettings(
            settings.shift, settings.cutout, settings.cutout_probability
        )

    def step(self, batch: Batch) -> Metrics:
        """Take one step: the critic's, then the generator's with the same fakes.

        Args:
            batch: this process's part of what the step sees.

        Returns:
            What to look at, as scalars on the device.
        """
        settings = self.settings
        random = StepRandom(
            (settings.seed, _STEP, self.images_seen),
            self.processes.rank,
            self.processes.count,
            self.device,
        )
        random.seed_torch()
        self._set_learning_rate()
        batch = batch.to(self.device)
        dtype = next(self.generator.parameters()).dtype
        real = self._seen(batch.real.to(dtype) / 127.5 - 1)  # [B, 3, R, R] in [-1, 1]
        z = random.normal(self.batch, self.generator.z_dim).to(dtype)
        generator_learns = self.images_seen >= settings.critic_first
        with torch.set_grad_enabled(generator_learns), self._precision():
            draw = self.run_generator if generator_learns else self.generator
            fake = draw(z, *self.generator.arguments(batch.fake_labels))
        fake = self._seen(fake)
        metrics = self._critic_step(batch, real, fake.detach(), random)
        if generator_learns:
            metrics |= self._generator_step(batch, real, fake, random)
        self.ema.update(self.generator, settings.batch, self.images_seen)
        self.images_seen += settings.batch
        return metrics

    def _critic_step(self, batch: Batch, real: Tensor, fake: Tensor, random: StepRandom) -> Metrics:
        change = self._augmentation(random), self._augmentation(random)
        images = torch.cat([change[0](real), change[1](fake.to(real.dtype))])
        labels = {
            name: torch.cat([rows, batch.fake_labels[name]]) for name, rows in batch.labels.items()
        }
        with self._precision():
            scores, classes = self.run_critic(images, labels, groups=2)
        real_score, fake_score = _exact(scores).chunk(2)
        real_classes = {name: rows[: self.batch] for name, rows in classes.items()}
        relativistic = self.settings.loss == "relativistic"
        compute = relativistic_critic_loss if relativistic else critic_loss
        adversarial = compute(real_score, fake_score)
        of_classes = self._class_loss(real_classes, batch.labels)
        loss = adversarial + self.settings.class_weight * of_classes
        metrics = {
            "critic_loss": adversarial,
            "class_loss_real": of_classes,
            "score_real": real_score.mean(),
            "score_fake": fake_score.mean(),
        }
        metrics |= self._accuracy("accuracy_real", real_classes, batch.labels)
        if batch.held_out is not None:
            metrics |= self._look(batch, real_score.mean(), fake_score.mean(), random)
        lazy = self.settings.penalty_interval > 1
        penalty = None if lazy else self._penalty(batch, real, fake, random)
        if penalty is not None:
            loss = loss + self.settings.penalty_weight * penalty
        self._learn(self.critic_optimizer, loss)
        if lazy:
            penalty = self._penalty(batch, real, fake, random)
            if penalty is not None:
                # As strong on the whole as if it were computed at every step, and in a step of
                # its own: in the same one Adam would see gradients four times as large now and
                # then ("lazy regularisation", StyleGAN2, arXiv 1912.04958, section 3.2).
                factor = self.settings.penalty_weight * self.settings.penalty_interval
                self._learn(self.critic_optimizer, factor * penalty, gathered=False)
        if penalty is not None:
            metrics["penalty"] = penalty
        return _detached(metrics)

    @property
    def _penalty_share(self) -> float:
        """Which part of the critic's steps are those of its loss; the rest are the penalty's.

        ``k / (k + 1)`` with a penalty every k steps: StyleGAN2's correction of the learning rate
        and the betas of Adam (arXiv 1912.04958, appendix B), which then move and forget as much
        over k steps as they would without the penalty's.
        """
        interval = self.settings.penalty_interval
        if self.settings.regularizer == "none" or interval == 1:
            return 1.0
        return interval / (interval + 1)

    @torch.no_grad()
    def _look(self, batch: Batch, trained: Tensor, fake: Tensor, random: StepRandom) -> Metrics:
        """Score pictures that are never learnt from, and adapt the augmentation to it."""
        assert batch.held_out is not None
        images = self._seen(batch.held_out.to(trained.dtype) / 127.5 - 1)
        with self._precision():
            scores, _ = self.critic(self._augmentation(random)(images), batch.held_out_labels)
        means = torch.stack([trained, _exact(scores).mean(), fake]).detach()
        trained, held_out, fake = self.processes.mean(means)
        seen = overfitting(trained, held_out, fake)
        if self.settings.adapt:
            images_between = LOOK_EVERY * self.settings.batch
            target, run = self.settings.adapt_target, self.settings.images
            self.strength = adapted(self.strength, seen.float(), target, images_between, run)
        metrics = {"score_held_out": held_out, "overfitting": seen}
        return metrics | ({"augmentation": self.strength.clone()} if self.settings.adapt else {})

    def _penalty(
        self, batch: Batch, real: Tensor, fake: Tensor, random: StepRandom
    ) -> Tensor | None:
        """Return the gradient penalty, in the steps that have one."""
        settings = self.settings
        step = self.images_seen // settings.batch
        if settings.regularizer == "none" or step % settings.penalty_interval:
            return None
        count = settings.penalty_batch(self.batch)
        change = self._augmentation(random).first(count)

        def score_of(labels: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
            own = {name: rows[:count] for name, rows in labels.items()}

            def score(x: Tensor) -> Tensor:
                # Compiled networks cannot be differentiated twice: this is the critic itself.
                with self._precision():
                    scores, _ = self.critic(change(x), own)
                return _exact(scores)

            return score

        score = score_of(batch.labels)
        if settings.regularizer == "r1":
            return r1_penalty(score, real[:count])
        if settings.regularizer == "r1r2":
            of_fake = r2_penalty(score_of(batch.fake_labels), fake[:count].to(real.dtype))
            return r1_penalty(score, real[:count]) + of_fake
        perturbed = dragan_perturbation(
            real[:count],
            random.uniform(count).to(real.dtype),
            random.uniform(count, *real.shape[1:]).to(real.dtype),
            self.processes.standard_deviation(real),
        )
        return dragan_penalty(score, perturbed)

    def _generator_step(
        self, batch: Batch, real: Tensor, fake: Tensor, random: StepRandom
    ) -> Metrics:
        change = self._augmentation(random)
        with self._critic_at_rest():
            with self._precision():
                scores, classes = self.ask_critic(change(fake), batch.fake_labels)
            if self.settings.loss == "relativistic":
                change = self._augmentation(random)
                with torch.no_grad(), self._precision():
                    of_real, _ = self.ask_critic(change(real), batch.labels)
                adversarial = relativistic_generator_loss(_exact(of_real), _exact(scores))
            else:
                adversarial = generator_loss(_exact(scores))
            of_classes = self._class_loss(classes, batch.fake_labels)
            loss = adversarial + self.settings.class_weight * of_classes
            self._learn(self.generator_optimizer, loss)
        metrics = {"generator_loss": adversarial, "class_loss_fake": of_classes}
        metrics |= self._accuracy("accuracy_fake", classes, batch.fake_labels)
        return _detached(metrics)

    def _class_loss(self, classes: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> Tensor:
        return class_loss(classes, labels, self.critic.attributes, self.processes.mean)

    def _accuracy(
        self, prefix: str, classes: Mapping[str, Tensor], labels: Mapping[str, Tensor]
    ) -> Metrics:
        attributes = self.critic.attributes
        return {
            f"{prefix}_{name}": class_accuracy(scores, labels[name], attributes[name])
            for name, scores in classes.items()
        }

    def _learn(
        self, optimizer: torch.optim.Optimizer, loss: Tensor, *, gathered: bool = True
    ) -> None:
        """Take a step down a loss.

        Args:
            optimizer: of the network that learns.
            loss: of this process.
            gathered: whether the network's wrapper takes the mean of the processes' gradients.
        """
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if not gathered:
            self.processes.share_gradients(self._learning)
        optimizer.step()

    @contextmanager
    def _critic_at_rest(self) -> Iterator[None]:
        """Let gradients flow through the critic and not into it."""
        for values in self._learning:
            values.requires_grad_(False)
        try:
            yield
        finally:
            for values in self._learning:
                values.requires_grad_(True)

    def _seen(self, images: Tensor) -> Tensor:
        """Return pictures as the critic sees them: enlarged, where it is of a larger size."""
        side = self.settings.critic_size
        if images.shape[-1] == side:
            return images
        return functional.interpolate(
            images, size=(side, side), mode="bilinear", align_corners=False
        )

    def _set_learning_rate(self) -> None:
        factor = learning_rate_factor(self.images_seen, self.settings.images)
        rate = self.settings.adam_learning_rate * factor
        for optimizer, share in (
            (self.generator_optimizer, 1.0),
            (self.critic_optimizer, self._penalty_share),
        ):
            for group in optimizer.param_groups:
                group["lr"] = rate * share

    @property
    def learning_rate(self) -> float:
        """The rate of the last step."""
        rate: float = self.generator_optimizer.param_groups[0]["lr"]
        return rate

    def _augmentation(self, random: StepRandom) -> Augmentation:
        strength = self.strength if self.settings.adapt else None
        side = self.settings.critic_size
        return Augmentation.draw(self.augmentation, self.batch, side, random, strength)

    def _precision(self) -> AbstractContextManager[Any]:
        if not self.bf16:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def _adam(self, network: nn.Module, share: float = 1.0) -> torch.optim.Adam:
        """Return the optimizer of a network, ``share`` of whose steps are those of its loss."""
        first, second = self.settings.family.betas
        return torch.optim.Adam(
            network.parameters(),
            lr=self.settings.adam_learning_rate * share,
            betas=(first**share, second**share),
            eps=1e-8,
            fused=True,
        )

    def _gathering(self, network: Callable[..., Any]) -> Callable[..., Any]:
        """Return a network whose gradients are the means of the processes'."""
        if self.processes.count == 1:
            return network
        assert isinstance(network, nn.Module)
        on_cuda = self.device.type == "cuda"
        return DistributedDataParallel(
            network,
            device_ids=[self.device.index] if on_cuda else None,
            **_own_buffers(),
        )

    def _compiled(
        self, network: nn.Module, trial: Callable[[Callable[..., Any]], Tensor]
    ) -> Callable[..., Any]:
        """Return a network compiled, or as it is where that fails in any of the processes.

        The trial needs no other process: none waits for one that has failed.
        """
        wanted = self.settings.compile
        if wanted == "off" or (wanted == "auto" and self.device.type != "cuda"):
            return network
        call, problem = compiled_or_not(network, trial)
        if not self.processes.any(problem is not None):
            return call
        note = f"trains without torch.compile, which failed ({problem or 'in another process'})"
        if note not in self.notes:
            self.notes.append(note)
        return network

    def _try_generator(self, call: Callable[..., Any]) -> Tensor:
        labels = self._first_labels(self.batch)
        z = torch.zeros(self.batch, self.generator.z_dim, device=self.device)
        with self._precision():
            return _exact(call(z, *self.generator.arguments(labels))).mean()

    def _try_critic(self, call: Callable[..., Any]) -> Tensor:
        side = self.settings.critic_size
        images = torch.zeros(2 * self.batch, 3, side, side, device=self.device)
        with self._precision():
            scores, classes = call(images, self._first_labels(2 * self.batch), groups=2)
        return _exact(scores).mean() + sum(_exact(rows).mean() for rows in classes.values())

    def _ask_trial(self, call: Callable[..., Any]) -> Tensor:
        side = self.settings.critic_size
        shape = (self.batch, 3, side, side)
        images = torch.zeros(shape, device=self.device, requires_grad=True)
        with self._precision():
            scores, classes = call(images, self._first_labels(self.batch))
        return _exact(scores).mean() + sum(_exact(rows).mean() for rows in classes.values())

    def _first_labels(self, count: int) -> dict[str, Tensor]:
        return {
            name: torch.zeros(count, dtype=torch.long, device=self.device)
            for name in self.generator.attributes
        }


def _own_buffers() -> dict[str, Any]:
    """Return the option that lets each process keep its own minibatch statistics.

    torch 2.13 renamed it, and warns about the name that those before it know.
    """
    known = inspect.signature(DistributedDataParallel.__init__).parameters
    renamed = "forward_sync_buffers"
    return {renamed if renamed in known else "broadcast_buffers": False}


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Tell whether networks compute in bf16: as asked, or where the device is fast at it."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Where the CPU has instructions for it, bf16 is about twice as fast; elsewhere it is emulated.
    tell = getattr(torch.cpu, "get_capabilities", None)  # since torch 2.12
    there: Mapping[str, object] = tell() if tell is not None else {}
    return bool(there.get("avx512_bf16") or there.get("amx_bf16"))


def _exact(values: Tensor) -> Tensor:
    """Return scores in float32 at least: losses and means of half precision lose too much."""
    return values if values.dtype == torch.float64 else values.float()


def _detached(metrics: Metrics) -> Metrics:
    return {name: value.detach() for name, value in metrics.items()}
