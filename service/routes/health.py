"""For those who operate it: alive, ready, metrics."""

from __future__ import annotations

from fastapi import Request, Response

from latent.models.places import without_places
from service.guard.scopes import OPEN, Scope, needs
from service.problems import NOT_READY, problem, request_id_of
from service.routes.asking import StateNow, router
from service.seen.metrics import CONTENT_TYPE

routes = router("operation")


@routes.get("/healthz", openapi_extra=OPEN)
async def healthz() -> dict[str, str]:
    """Says `ok` as long as the process answers."""
    return {"status": "ok"}


@routes.get("/readyz", response_model=dict[str, str], openapi_extra=OPEN)
async def readyz(request: Request, state: StateNow) -> object:
    """Says `ready` once the model and the indexes are loaded; until then 503 and why."""
    reason = state.readiness.reason
    if reason is not None:
        headers = {"Retry-After": "1"}
        return problem(NOT_READY, without_places(reason), request_id_of(request), headers=headers)
    return {"status": "ready"}


@routes.get("/metrics", response_class=Response, openapi_extra=needs(Scope.READ, of_all=True))
async def metrics(state: StateNow) -> Response:
    """Counts and durations in the Prometheus text format."""
    return Response(await state.workers.run(state.metrics.text), media_type=CONTENT_TYPE)
