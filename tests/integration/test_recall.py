"""The model card's recall, found again through the front door: index photos, ask captions."""

from __future__ import annotations

import csv
import json
import os
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from latent.models import mini
from latent.settings import Settings
from latent.wiring import open_store
from nearfield import QueryEngine, main
from service.engine.parts import Part, Text
from service.query import Question

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("NEARFIELD_TRAINING_DATA", ROOT.parent / "shared" / "data"))

needs_photos = pytest.mark.skipif(
    not (DATA / "captioned_photos.tar").is_file(),
    reason="the captioned photos are not here; NEARFIELD_TRAINING_DATA names their folder",
)


@needs_photos
def test_indexed_photos_are_found_by_their_captions_as_the_model_card_says(tmp_path: Path) -> None:
    with (DATA / "captioned_photos.tsv").open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    captions = [(row["file"], row["caption"]) for row in rows if row["split"] == "val"]
    photos = tmp_path / "val"
    photos.mkdir()
    wanted = {name for name, _ in captions}
    with tarfile.open(DATA / "captioned_photos.tar") as archive:
        for member in archive:
            if member.name in wanted and (content := archive.extractfile(member)) is not None:
                (photos / member.name).write_bytes(content.read())

    data = tmp_path / "data"
    ran = CliRunner().invoke(main, ["index", str(photos), "--data", str(data), "--json"])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["indexed"] == len(wanted) == 500

    with open_store(Settings(data=data)) as store:
        engine = QueryEngine(store)
        ranks = []
        for name, caption in captions:
            answer = engine.search("main", Question([Part(Text(caption))], k=10, min_relevance=0))
            found = [hit.item.metadata["name"] for hit in answer.hits]
            ranks.append(found.index(name) if name in found else 10)
    stated = json.loads((mini.folder() / "model.json").read_text())["card"]["measured"]
    for at in (1, 10):
        recall = sum(rank < at for rank in ranks) / len(ranks)
        assert recall == pytest.approx(stated[f"text_to_image_recall_at_{at}"], abs=0.004)
    assert sum(rank < 10 for rank in ranks) / len(ranks) >= 0.79
