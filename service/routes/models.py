"""Which models requests may name."""

from __future__ import annotations

from latent.errors import ModelUnavailableError
from latent.models.places import without_places
from service.answers import ModelAnswer, ModelsAnswer
from service.guard.guard import Caller
from service.guard.scopes import Scope, needs
from service.routes.asking import CallerNow, DeskNow, router
from service.state import State

routes = router("models")


@routes.get("/v1/models", response_model=ModelsAnswer, openapi_extra=needs(Scope.READ))
async def list_models(desk: DeskNow, caller: CallerNow) -> ModelsAnswer:
    """The default model, the bundled ones, and those of the collections that the key is for."""
    return ModelsAnswer(data=await desk.run(_models, desk.state, caller))


def _models(state: State, caller: Caller) -> list[ModelAnswer]:
    return [_model(state, name) for name in sorted(state.served_models(caller.may_see))]


def _model(state: State, name: str) -> ModelAnswer:
    """What a model is; one that is not here is listed with the reason."""
    try:
        space = state.space_of(name)
    except ModelUnavailableError as error:
        return ModelAnswer(
            id=without_places(name), available=False, about=without_places(str(error))
        )
    return ModelAnswer(
        id=without_places(name),
        available=True,
        dim=space.dim,
        modalities=sorted(space.modalities),
        about=state.about(name),
    )
