"""The promises by name, in the order of docs/explanation/promises.md."""

from __future__ import annotations

from scripts.soaking import damaged, full, killed, overload, refused, slow_clients, switched
from scripts.soaking.soak import Promise

PROMISES: dict[str, Promise] = {
    "killed": killed.rows,
    "damaged": damaged.rows,
    "full": full.rows,
    "refused": refused.rows,
    "switched": switched.rows,
    "overload": overload.rows,
    "slow-clients": slow_clients.rows,
}
