"""Which of some labels fits a picture or a text, or none of them? No collection is needed."""

from __future__ import annotations

import numpy as np

from latent.items import Modality, Vectors
from latent.models import registry
from latent.models.places import without_places
from service.answers import ClassifyAnswer, ClassifyResult, LabelAnswer
from service.checks.classify import Labels, Verdict, label_rows, labels_of, modality_of, verdict
from service.comparisons import ClassifyBody
from service.fetching.bodies import fetch_into
from service.guard.scopes import Scope, needs
from service.routes.asking import DeskNow, router
from service.schemas import things_of

routes = router("models")


@routes.post("/v1/classify", response_model=ClassifyAnswer, openapi_extra=needs(Scope.READ))
async def classify(body: ClassifyBody, desk: DeskNow) -> ClassifyAnswer:
    """The label of each input with its probability; null where none of them fits."""
    desk.require_few(body.inputs, "inputs")
    await fetch_into(body, desk.fetcher)
    labels = labels_of(body.labels, body.templates, desk.state.settings)
    embedder = await desk.embedder(body.model)
    names = [f"inputs[{i}]" for i in range(len(body.inputs))]
    things = await desk.run(things_of, body.inputs, names)
    places = await desk.place(embedder, things, names)
    kinds = [modality_of(thing) for thing in things]
    rows: dict[Modality, Vectors] = {}
    for kind in dict.fromkeys(kinds):
        prompts = await desk.place(embedder, labels.prompts(kind))
        rows[kind] = label_rows(np.stack(prompts), labels)
    cuts = registry.cuts(embedder.space, desk.state.settings)
    verdicts = [
        verdict(place, rows[kind], labels, cuts.naming(kind))
        for place, kind in zip(places, kinds, strict=True)
    ]
    return ClassifyAnswer(
        model=without_places(embedder.space.model),
        calibrated=cuts.is_fitted,
        results=[_result(i, labels, one) for i, one in enumerate(verdicts)],
    )


def _result(index: int, labels: Labels, found: Verdict) -> ClassifyResult:
    each = [
        LabelAnswer(label=label, probability=probability, score=score)
        for label, probability, score in zip(
            labels.names, found.probabilities, found.scores, strict=True
        )
    ]
    each.sort(key=lambda one: -one.probability)
    return ClassifyResult(index=index, label=found.label, none=found.none, labels=each)
