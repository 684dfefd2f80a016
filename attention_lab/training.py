"""Training, as short as it can be: one loop, and a comparison of several models over several seeds.

The length of a training is given in **steps** (optimiser updates), not in epochs: two models trained for as many steps
have had as many updates and have seen as many images, whatever the size of the pool the batches are drawn from.

**When are two models different?** One rule, for the whole course: ``Difference``. It looks at the two seed by seed, and
asks whether the mean of what lies between them is more than two of its standard errors away from zero.

Everything runs on one thread, because the tensors of these experiments are so small that a second one costs more than
it brings; the number of threads is put back afterwards. No function here changes torch's global random state.

**More seeds**: ``recording.recorded`` gives the numbers of many seeds that a lesson measured beforehand with its own code.

**Reduced mode**: with the environment variable ``ATTENTION_LAB_FAST=1`` every training stops after 4 steps and every
comparison after 2 seeds. It shows that the code runs; its numbers mean nothing, and its records and tables say so.
"""

import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from tqdm.auto import tqdm
from tqdm.notebook import tqdm as NotebookBar

from .mechanisms.arguments import require_positive
from .networks.count import count_parameters
from .recording import Recording, asked_seeds
from .table import Table
from .threads import one_thread

FAST_STEPS = 4
FAST_SEEDS = 2
LEAST_SEEDS = 3


def fast() -> bool:
    """Whether the reduced mode is on. A lesson may ask, to render fewer images too."""
    return os.environ.get("ATTENTION_LAB_FAST") == "1"


@dataclass(frozen=True)
class Record:
    """What a training leaves behind, apart from the trained model.

    losses: cross-entropy of the batch in every step, before the update.
    seconds: duration of the training on the clock.
    reduced: True if the reduced mode cut the training short.
    """

    losses: list[float]
    seconds: float
    reduced: bool

    def __repr__(self) -> str:
        shown = f"{len(self.losses)} steps in {self.seconds:.1f} s, loss {self.losses[0]:.2f} -> {self.losses[-1]:.2f}"
        return shown + " (reduced run)" * self.reduced


def train(
    model: nn.Module,
    images: Float[Tensor, "N C H W"],
    labels: Int[Tensor, " N"],
    steps: int,
    batch: int = 64,
    lr: float = 4e-3,
    weight_decay: float = 1e-4,
    seed: int = 0,
) -> Record:
    """Train a classifier in place, by AdamW with the one-cycle schedule: the rate rises to ``lr``, then falls to zero.

    I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    L. N. Smith and N. Topin, "Super-Convergence", 2018, arXiv:1708.07120.

    Args:
        model: (N, C, H, W) -> logits (N, classes). It is left in evaluation mode.
        images, labels: the pool that batches are drawn from, on the model's device. Render it before.
        steps: number of updates.
        batch: images in a batch, drawn with replacement.
        lr: highest learning rate.
        weight_decay: of AdamW.
        seed: of the batches and of all randomness in the model's layers. Models trained with the same seed see the same
            batches in the same order. The initial parameters are the caller's: see ``compare``.

    Raises: ValueError if ``images`` and ``labels`` differ in N, or ``steps`` or ``batch`` is below 1.
    """
    with _progress(_budget(steps)) as bar:
        return _train(model, images, labels, steps, batch, lr, weight_decay, seed, bar)


def error(model: nn.Module, images: Float[Tensor, "N C H W"], labels: Int[Tensor, " N"]) -> float:
    """Percentage of the images whose largest logit is not that of their label. The model is left in evaluation mode.

    Raises: ValueError if ``images`` and ``labels`` differ in N.
    """
    _require_pairs(images, labels)
    model.eval()
    with one_thread(), torch.no_grad():
        correct = sum((model(x).argmax(1) == y).sum().item() for x, y in zip(images.split(256), labels.split(256)))
    return 100 * (1 - correct / len(labels))


@dataclass(frozen=True)
class Runs:
    """One model, trained from several seeds.

    errors: test error of each seed in percent.
    records: how each seed was trained.
    models: the trained model of each seed, in evaluation mode.
    """

    errors: list[float]
    records: list[Record]
    models: list[nn.Module]

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return count_parameters(self.models[0])

    @property
    def mean(self) -> float:
        """Mean test error in percent."""
        return statistics.mean(self.errors)

    @property
    def seconds(self) -> float:
        """Mean duration of a training."""
        return statistics.mean(record.seconds for record in self.records)


@dataclass(frozen=True)
class Difference:
    """What one model measured minus what another did, seed by seed.

    Two models that are trained from the same seed see the same batches, so a seed that is hard for one is often hard for
    both: their difference then varies less than they do. The **standard error** says how far the mean of so many differences
    may lie from the mean of very many, by the luck of the seeds. It shrinks as the root of their number.

    *The rule*: the two differ if the mean is more than two standard errors away from zero, and there are at least 3
    seeds. Else the difference is **undecided**. That does not say that the two are equal: the true difference may be
    anything within two standard errors of the mean, zero included. More seeds see smaller ones. And a table that asks
    several questions is wrong in one of them more often than each alone.

    values: for each seed, one number minus the other.
    """

    values: Sequence[float]

    @classmethod
    def between(cls, a: Sequence[float], b: Sequence[float]) -> "Difference":
        """Of the numbers ``a`` and ``b``, one a seed, in the same order.

        Raises: ValueError if they are not as many, or fewer than one.
        """
        if len(a) != len(b) or len(a) == 0:
            raise ValueError(f"both must hold one number a seed, got {len(a)} and {len(b)}")
        return cls([float(x) - float(y) for x, y in zip(a, b)])

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return statistics.mean(self.values)

    @property
    def standard_error(self) -> float:
        """The standard deviation over the seeds (n - 1) by the root of their number; not a number for one seed."""
        seeds = len(self.values)
        return statistics.stdev(self.values) / math.sqrt(seeds) if seeds > 1 else math.nan

    @property
    def decided(self) -> bool:
        """Whether the two differ, by the rule."""
        return len(self.values) >= LEAST_SEEDS and abs(self.mean) > 2 * self.standard_error

    def __format__(self, spec: str) -> str:
        """The mean and its standard error: ``f"{difference:.2f}"`` shows two decimals."""
        mean = format(self.mean, f"+{spec}")
        return mean if len(self.values) == 1 else f"{mean} ± {self.standard_error:{spec}}"

    def __str__(self) -> str:
        return f"{self:.1f}"

    def in_words(self, low: str, high: str) -> str:
        """``low`` if it is decided and below zero, ``high`` if above, else "undecided"."""
        if not self.decided:
            return "undecided"
        return low if self.mean < 0 else high


@dataclass(frozen=True)
class Comparison:
    """Several models at the same budget, shown as a table.

    runs: everything behind a row, by the model's name.
    seeds: one training of each model for each of them.
    steps: updates of each training, those that were taken.
    reduced: True if the reduced mode cut the trainings short.
    """

    runs: dict[str, Runs]
    seeds: list[int]
    steps: int
    reduced: bool

    @property
    def errors(self) -> dict[str, list[float]]:
        """Test error of each seed in percent, by the model's name: what ``recorded`` takes."""
        return {name: run.errors for name, run in self.runs.items()}

    def minus(self, name: str, other: str) -> Difference:
        """Test error of one model minus another's, seed by seed: below zero if the first is better."""
        return Difference.between(self.runs[name].errors, self.runs[other].errors)

    def table(self, other: str | None = None) -> Table:
        """One row a model: parameters, mean error, difference from ``other``'s, each seed's error, seconds a training.

        other: the model that the others are compared with; the first one by default.
        """
        other = next(iter(self.runs)) if other is None else other
        several = len(self.runs) > 1
        caption = f"Test error in % after {self.steps} steps"
        if several:
            caption += f"; error minus that of “{other}”, seed by seed: mean ± standard error, and what the rule says"
        if self.reduced:
            caption += ". REDUCED RUN (ATTENTION_LAB_FAST=1): its numbers mean nothing"
        header = ["model", "parameters", "mean error"] + [f"minus “{other}”", "so it is"] * several
        rows = []
        for name, run in self.runs.items():
            row = [name, f"{run.parameters:,}", f"{run.mean:.1f}"]
            if several:
                apart = self.minus(name, other)
                row += ["–", "–"] if name == other else [str(apart), apart.in_words("better", "worse")]
            rows.append([*row, *(f"{error:.1f}" for error in run.errors), f"about {run.seconds:.0f}"])
        return Table(f"{caption}.", header + [f"seed {seed}" for seed in self.seeds] + ["seconds a seed"], rows)

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def compare(
    models: dict[str, Callable[[], nn.Module]],
    train: tuple[Float[Tensor, "N C H W"], Int[Tensor, " N"]],
    test: tuple[Float[Tensor, "M C H W"], Int[Tensor, " M"]],
    steps: int,
    seeds: Sequence[int] = range(3),
    lr: float = 4e-3,
) -> Comparison:
    """Train every model from every seed with the same budget, and measure its error on the test images.

    A seed decides the initial parameters and the batches, and all models see the same batches: see ``Difference``.

    Args:
        models: a name, and a function without arguments that builds the model with fresh parameters.
        train: images and labels to train on.
        test: images and labels to measure the error on.
        steps: number of updates of each training.
        seeds: one training of each model for each of them. In a recording run, those that were asked for.
        lr: highest learning rate, the same for all.

    Raises: ValueError as ``train`` does, or if there is no seed.
    """
    if not seeds:
        raise ValueError("seeds must hold at least one seed")
    seeds = asked_seeds() or list(seeds[:FAST_SEEDS] if fast() else seeds)
    runs = {name: Runs([], [], []) for name in models}
    with _progress(_budget(steps) * len(seeds) * len(models)) as bar:
        for name, build in models.items():
            for seed in seeds:
                bar.set_description(f"{name}, seed {seed}")
                with torch.random.fork_rng():
                    torch.manual_seed(seed)
                    model = build()
                runs[name].records.append(_train(model, *train, steps, 64, lr, 1e-4, seed, bar))
                runs[name].errors.append(error(model, *test))
                runs[name].models.append(model)
    return Comparison(runs, seeds, _budget(steps), fast())


def with_more_seeds(comparison: Comparison, more: Recording, pairs: Sequence[tuple[str, str]] | None = None) -> Table:
    """Differences of test errors from the seeds of a comparison, and beside them from those of a recording.

    Args:
        comparison: what was trained here.
        more: test errors of the same models from more seeds, by the model's name.
        pairs: names of two models each: the first one's error minus the second one's. Each against the first by default.
    """
    first, *others = comparison.runs
    pairs = [(name, first) for name in others] if pairs is None else pairs
    rows = []
    for name, other in pairs:
        cells = []
        for errors in (comparison.errors, more.numbers):
            apart = Difference.between(errors[name], errors[other])
            cells += [str(apart), apart.in_words("better", "worse")]
        rows.append([f"“{name}” minus “{other}”", *cells])
    told = [f"seeds {seeds[0]}-{seeds[-1]}" for seeds in (comparison.seeds, more.seeds)]
    caption = (
        "Differences of the test error in %, mean ± standard error, and what the rule says: "
        f"from the {len(comparison.seeds)} seeds trained here, and from {len(more.seeds)} recorded ones."
    )
    if comparison.reduced:
        caption += " REDUCED RUN (ATTENTION_LAB_FAST=1): the numbers from here mean nothing."
    return Table(caption, ["", f"here, {told[0]}", "so it is", f"recorded, {told[1]}", "so it is"], rows)


def _train(
    model: nn.Module,
    images: Float[Tensor, "N C H W"],
    labels: Int[Tensor, " N"],
    steps: int,
    batch: int,
    lr: float,
    weight_decay: float,
    seed: int,
    bar: tqdm,
) -> Record:
    """``train``, on a progress bar that may be shared."""
    _require_pairs(images, labels)
    require_positive(steps=steps, batch=batch)
    steps = _budget(steps)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    losses = []
    model.train()
    start = time.perf_counter()
    with one_thread(), torch.random.fork_rng():
        torch.manual_seed(seed)
        for _ in range(steps):
            chosen = torch.randint(len(images), (batch,), generator=generator)
            loss = F.cross_entropy(model(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            bar.update()
    model.eval()
    return Record(losses, time.perf_counter() - start, fast())


def _budget(steps: int) -> int:
    """The steps that are taken when so many are asked for."""
    return min(steps, FAST_STEPS) if fast() else steps


def _require_pairs(images: Tensor, labels: Tensor) -> None:
    if len(images) != len(labels) or len(images) == 0:
        raise ValueError(f"images and labels must be as many, and at least one, got {len(images)} and {len(labels)}")


@contextmanager
def _progress(steps: int) -> Iterator[tqdm]:
    """A progress bar that leaves nothing behind: not in a notebook's saved output, not in a log file."""
    if not issubclass(tqdm, NotebookBar):
        with tqdm(total=steps, leave=False, disable=None) as bar:  # None: only on a terminal
            yield bar
        return
    from IPython.display import display

    with tqdm(total=steps, leave=False, display=False) as bar:
        shown = display(bar.container, display_id=True)
        try:
            yield bar
        finally:
            shown.update({"text/plain": ""}, raw=True)
