"""The promises by name, in the order of docs/explanation/promises.md."""

from __future__ import annotations

from scripts.soaking import (
    backed_up,
    damaged,
    full,
    killed,
    leaks,
    model,
    mutations,
    overload,
    readers,
    refused,
    restarted,
    slow_clients,
    switched,
    turns,
)
from scripts.soaking.soak import Promise

PROMISES: dict[str, Promise] = {
    "killed": killed.rows,
    "restarted": restarted.rows,
    "model": model.rows,
    "damaged": damaged.rows,
    "full": full.rows,
    "refused": refused.rows,
    "turns": turns.rows,
    "backups": backed_up.rows,
    "switched": switched.rows,
    "mutations": mutations.rows,
    "overload": overload.rows,
    "slow-clients": slow_clients.rows,
    "readers": readers.rows,
    "leaks": leaks.rows,
}
