"""clip-retrieval's inference over a folder, timed. Runs by itself, in an interpreter that has it.

Given: a folder of pictures, one to write to, an architecture, its weights, threads and rounds. The
model is loaded before, for clip-retrieval would fetch one. Prints its version and the median of
seconds as JSON on the last line.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from importlib.metadata import version
from typing import Any


def main() -> None:
    folder, out, architecture, weights, threads, rounds = sys.argv[1:]
    import open_clip
    import torch
    from clip_retrieval.clip_inference import mapper, worker

    torch.set_num_threads(int(threads))
    model, _, preprocess = open_clip.create_model_and_transforms(architecture, pretrained=weights)
    loaded = (model.eval(), preprocess, open_clip.get_tokenizer(architecture))

    def load_clip(**_: Any) -> Any:
        return loaded

    mapper.load_clip = worker.load_clip = load_clip
    took = []
    for _ in range(1 + int(rounds)):
        started = time.perf_counter()
        worker.worker(
            tasks=[0],
            input_dataset=folder,
            output_folder=out,
            output_partition_count=1,
            batch_size=32,
            num_prepro_workers=int(threads),
            enable_text=False,
        )
        took.append(time.perf_counter() - started)
    seconds = statistics.median(took[1:])
    print()
    print(json.dumps({"version": version("clip_retrieval"), "seconds": seconds}))


if __name__ == "__main__":
    main()
