"""Failures of the example executor."""

from wit_world.imports.types import Failure, Payload


def failure(
    scope: str,
    kind: str,
    message: str,
    status: int | None = None,
    retry_after_ms: int | None = None,
    refresh_suggested: bool = False,
    body: Payload | None = None,
) -> Failure:
    return Failure(scope, kind, status, message, retry_after_ms, refresh_suggested, body, [])
