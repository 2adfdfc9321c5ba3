"""How a branch learns: captions pull photos to where MiniLM places the words.

One loss, contrastive: each caption picks its photo out of the batch and each photo its captions
(Radford et al., arXiv 2103.00020; several positives as in Khosla et al., arXiv 2004.11362). What
the pretrained classifier calls a photo is added before the loss, so that a branch learns what the
names leave out. The weights kept are a moving average. A branch runs in a process of its own, on
what the early blocks saw and `prepare` kept.
"""

from __future__ import annotations

import json
import logging
import math
import time
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scripts.training.backbone import Branch, Classifier
from scripts.training.figures import recalls
from scripts.training.lesson import Lesson
from scripts.training.recipe import Recipe, Stage
from scripts.training.views import view_path

log = logging.getLogger(__name__)

COLDEST = 0.01
"""The temperature never falls below this."""


def contrast(images: Tensor, own: Tensor, temperature: Tensor) -> Tensor:
    """Each caption picks its photo; each photo picks its captions. `own` is `(n, 5, dim)`."""
    count, each, dim = own.shape
    logits = images @ own.reshape(-1, dim).T / temperature
    owner = torch.arange(count).repeat_interleave(each)
    to_image = F.cross_entropy(logits.T, owner)
    mine = F.one_hot(owner, count).T.float() / each
    return (to_image + F.cross_entropy(logits, mine)) / 2


def together(described: Tensor, naming: Tensor, weight: float) -> Tensor:
    """What a branch says of photos and what the classifier calls them, as unit rows."""
    return F.normalize(described + weight * naming, dim=-1)


class Learner:
    """One branch, its average, and what they learn from."""

    def __init__(self, recipe: Recipe, number: int, kept: Path, weights: Path) -> None:
        member = recipe.members[number]
        torch.manual_seed(member.seed)
        self.recipe, self.number, self.kept, self.member = recipe, number, kept, member
        self.lesson = Lesson.load(kept)
        self.branch = Branch(
            Classifier(weights).backbone,
            head=member.head,
            dim=self.lesson.own.shape[2],
            dropout=recipe.dropout,
            skip=recipe.skip,
        ).to(memory_format=torch.channels_last)
        self.average = deepcopy(self.branch).eval()
        self.log_temperature = nn.Parameter(torch.tensor(math.log(recipe.temperature)))

    def run(self) -> None:
        """Train stage by stage; the average goes to a file, progress to `history-….jsonl`."""
        for number in range(len(self.recipe.stages)):
            path = branch_path(self.kept, number, self.number)
            if not path.exists():
                self._run_stage(number)
                torch.save(self.average.state_dict(), path)
            self.branch.load_state_dict(torch.load(path, weights_only=True))
            self.average = deepcopy(self.branch).eval()

    def _run_stage(self, number: int) -> None:
        stage, batch = self.recipe.stages[number], self.recipe.batch
        chance = np.random.default_rng([self.member.seed, number])
        optimiser = self._optimiser(stage)
        rates = [group["lr"] for group in optimiser.param_groups]
        steps = len(self.lesson.own) // batch
        step = 0
        for epoch in range(stage.epochs):
            began, lost = time.monotonic(), 0.0
            view = (epoch + self.member.first_view) % stage.views
            views = np.load(view_path(self.kept, number, view), mmap_mode="r")
            order = chance.permutation(len(views))
            self.branch.train()
            for some in order[: steps * batch].reshape(steps, batch):
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    progress = step / (steps * stage.epochs)
                    group["lr"] = rate * _pace(progress, self.recipe.warm_up)
                rows = np.sort(some)
                seen = torch.from_numpy(views[rows])
                loss = self._loss(seen, self.lesson.naming[number], torch.from_numpy(rows))
                optimiser.zero_grad(set_to_none=True)
                torch.autograd.backward(loss)
                nn.utils.clip_grad_norm_(self.branch.parameters(), 1.0)
                optimiser.step()
                self._take_average(step)
                lost += loss.item()
                step += 1
            line = {"branch": self.number, "stage": number + 1, "epoch": epoch + 1}
            self._report(line | {"loss": lost / steps, "seconds": time.monotonic() - began})

    def _report(self, line: dict[str, float]) -> None:
        line |= self._figures()
        log.info(json.dumps({name: round(value, 4) for name, value in line.items()}))
        with (self.kept / f"history-{self.number}.jsonl").open("a") as out:
            out.write(json.dumps(line) + "\n")

    def _loss(self, seen: Tensor, naming: Tensor, rows: Tensor) -> Tensor:
        described = self.branch(seen.float().permute(0, 3, 1, 2))
        images = together(described, naming[rows], self.recipe.naming_weight)
        temperature = self.log_temperature.exp().clamp(min=COLDEST)
        return contrast(images, self.lesson.own[rows], temperature)

    @torch.inference_mode()
    def _figures(self) -> dict[str, float]:
        """Recalls of the average on `val`."""
        lesson = self.lesson
        parts = [self.average(part.float()) for part in torch.chunk(lesson.val_seen, 5)]
        images = together(torch.cat(parts), lesson.val_naming, self.recipe.naming_weight)
        count, each, dim = lesson.val_own.shape
        owners = np.arange(count).repeat(each)
        return recalls(images.numpy(), lesson.val_own.reshape(-1, dim).numpy(), owners)

    def _optimiser(self, stage: Stage) -> torch.optim.Optimizer:
        """AdamW; no decay on biases, norms and the temperature."""
        blocks: list[nn.Parameter] = []
        head: list[nn.Parameter] = []
        bare: list[nn.Parameter] = [self.log_temperature]
        for name, weight in self.branch.named_parameters():
            if weight.ndim < 2:
                bare.append(weight)
            else:
                (blocks if name.startswith("blocks.") else head).append(weight)
        rate, decay = stage.backbone_rate, self.recipe.weight_decay
        return torch.optim.AdamW(
            [
                {"params": blocks, "lr": rate, "weight_decay": decay},
                {"params": head, "lr": stage.head_rate, "weight_decay": decay},
                {"params": bare, "lr": rate, "weight_decay": 0.0},
            ],
            betas=(0.9, 0.98),
        )

    @torch.no_grad()
    def _take_average(self, step: int) -> None:
        decay = min(self.recipe.average_decay, (step + 1) / (step + 10))
        for kept, new in zip(self.average.parameters(), self.branch.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)


def branch_path(kept: Path, stage: int, number: int) -> Path:
    """Where the weights of a branch are kept after a stage."""
    return kept / f"branch-{stage}-{number}.pt"


def learn_all(recipe: Recipe, kept: Path, weights: Path, *, threads: int) -> None:
    """Every branch that is not finished yet, at once, the cores shared out among them."""
    last = len(recipe.stages) - 1
    missing = [n for n in range(len(recipe.members)) if not branch_path(kept, last, n).exists()]
    at_once = max(1, min(len(missing), threads))
    with ProcessPoolExecutor(at_once, mp_context=get_context("spawn")) as processes:
        jobs = [
            processes.submit(_learn, recipe, number, kept, weights, max(1, threads // at_once))
            for number in missing
        ]
        for job in jobs:
            job.result()


def _learn(recipe: Recipe, number: int, kept: Path, weights: Path, threads: int) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(threads)
    Learner(recipe, number, kept, weights).run()


def _pace(progress: float, warm_up: float) -> float:
    """Linear warm-up, then half a cosine down to zero."""
    if progress < warm_up:
        return progress / warm_up + 1e-3
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))
