"""Cuts: which there are, and that the bundled model has its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from latent.items import Modality
from latent.models import mini, registry
from latent.models.artifact import Artifact
from latent.models.calibration import Calibration
from latent.models.colours import ColourEmbedder
from latent.models.cuts import UNFITTED, Cut, Cuts
from latent.settings import Settings
from scripts.training.calibrate import cuts_in, write


def test_a_model_that_nobody_fitted_has_careful_cuts_and_says_so(settings: Settings) -> None:
    cuts = registry.cuts(ColourEmbedder().space, settings)
    assert cuts == UNFITTED
    assert not cuts.is_fitted


@pytest.mark.skipif(not (mini.folder() / "model.json").is_file(), reason="mini is not built yet")
def test_mini_has_cuts_that_were_fitted_to_this_mini(settings: Settings) -> None:
    cuts = registry.cuts(registry.load("mini", settings).space, settings)
    assert cuts.is_fitted, "mini has changed: run python -m scripts.training.cuts"
    assert cuts.pictures.related < cuts.pictures.alike < cuts.pictures.near_copy < 1
    assert cuts.texts.related < cuts.texts.alike < 1
    assert cuts.naming(Modality.IMAGE) != cuts.naming(Modality.TEXT)


def test_cuts_of_some_things_leave_the_others_as_they_usually_are() -> None:
    cuts = Cuts(pictures=Cut(related=0.1))
    assert cuts.is_fitted
    assert cuts.texts == UNFITTED.texts


def test_a_manifest_keeps_cuts_and_curves_beside_each_other(tmp_path: Path) -> None:
    shutil.copy(mini.folder() / "model.json", tmp_path)
    before = Artifact(tmp_path).manifest
    assert before.calibration is not None
    cuts = Cuts(pictures=Cut(related=0.1))
    changed = before.calibration.model_copy(update={"cuts": cuts})
    write(tmp_path, changed, fingerprint=before.fingerprint)
    after = Artifact(tmp_path).manifest.calibration
    assert after is not None
    assert after.curves == before.calibration.curves
    assert after.cuts == cuts
    assert cuts_in(tmp_path) == cuts
    assert "related" in json.dumps(json.loads((tmp_path / "model.json").read_text()))


def test_a_manifest_without_a_calibration_has_no_cuts(tmp_path: Path) -> None:
    fields = json.loads((mini.folder() / "model.json").read_text())
    del fields["calibration"]
    (tmp_path / "model.json").write_text(json.dumps(fields))
    assert cuts_in(tmp_path) is None
    write(tmp_path, Calibration(cuts=UNFITTED), fingerprint=Artifact(tmp_path).manifest.fingerprint)
    assert Artifact(tmp_path).manifest.calibration is not None
