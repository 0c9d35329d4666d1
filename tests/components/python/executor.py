"""The example executor: serves any provider with the dialect `openai-chat`.

The host's tests run the same executor in Rust, JavaScript and Python; see ../README.md. It can use
only `wit_world` and the standard library: a component has no network, no clock and no random numbers.

WIT in Python: names are in snake_case, a record is a dataclass, a variant has one class per case,
`none` is None, `list<u8>` is bytes. A function that returns a `result` raises `Err(failure)`. The file
must have the name of the interface, `executor`: componentize-py looks there for the resource `reply`.
"""

import json
import re

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.executor import (
    Descriptor,
    Frame,
    Framing,
    Output,
    Plan,
    Response_Frames,
    Response_Whole,
)
from wit_world.imports import client_body
from wit_world.imports.types import (
    Body,
    Body_Original,
    Body_Patched,
    Context,
    Credential,
    Failure,
    Header,
    HttpHead,
    HttpRequest,
    Patch_Replace,
    Scope,
    SecretPlace_Bearer,
    SecretUse,
    Usage,
)


class Executor(exports.Executor):
    def describe(self) -> Descriptor:
        return Descriptor(
            version="1.0.0",
            dialects=["openai-chat"],
            operations=["generate"],
            hosts=[],
            refresh_lead_ms=None,
            judges_errors=True,
            models=[],
            options=[],
        )

    def prepare(self, context: Context) -> Plan:
        if context.operation != "generate":
            raise Err(failure(Scope.REQUEST, "unsupported", "this executor only generates"))
        refusal = client_body.at("/refuse")
        if refusal is not None:
            raise Err(failure(Scope.REQUEST, "invalid", f"refused: {refusal}", status=400))
        if context.credential is None:
            raise Err(failure(Scope.CREDENTIAL, "authentication", "no credential"))
        return Plan(
            request=HttpRequest(
                method="POST",
                url=f"{context.credential.base_url}/chat/completions",
                headers=[Header("content-type", b"application/json")],
                secrets=[SecretUse("api-key", SecretPlace_Bearer())],
                body=body(context),
                options=[],
            ),
            response=Response_Frames(Framing.SSE) if context.stream else Response_Whole(),
            captures=[],
            state=context.model.encode(),
        )

    def count_tokens(self, context: Context) -> int | None:
        return None

    def judge(self, context: Context, head: HttpHead, body: bytes) -> Failure:
        fields = {"status": head.status, "body": body}
        message = f"the provider returned {head.status}"
        match head.status:
            case 401:
                fields["refresh_suggested"] = True
                return failure(Scope.CREDENTIAL, "authentication", message, **fields)
            case 429:
                fields["retry_after_ms"] = retry_after_ms(head)
                return failure(Scope.MODEL, "rate-limit", message, **fields)
            case _:
                return failure(Scope.PROVIDER, "transient", message, **fields)

    def should_refresh(self, credential: Credential, now_ms: int) -> bool | None:
        return None


class Reply(exports.executor.Reply):
    """Passes a response on. The header `x-guest` has the state from `prepare`."""

    def __init__(self, context: Context, state: bytes) -> None:
        self.state = state

    def head(self, head: HttpHead) -> HttpHead:
        return HttpHead(head.status, [*head.headers, Header("x-guest", b"python:" + self.state)])

    def push(self, frames: list[Frame], last: bool) -> Output:
        if any(frame.data == b"boom" for frame in frames):
            raise Err(failure(Scope.PROVIDER, "transient", "boom"))
        usage = Usage(input=3, output=5, cached_input=0, reasoning=0, options=[])
        return Output(frames, usage=usage if last else None, done=False, next=None)


def body(context: Context) -> Body:
    """The client's body, with the model replaced if the provider has another name for it."""
    if context.client_model == context.model:
        return Body_Original()
    model = json.dumps(context.model, ensure_ascii=False)
    return Body_Patched([Patch_Replace(("/model", model))])


def retry_after_ms(head: HttpHead) -> int | None:
    """The value of the header `retry-after` in milliseconds, if it is a number of seconds."""
    value = next((header.value for header in head.headers if header.name == "retry-after"), b"")
    # Nine digits are thirty years. A longer number is an error of the provider.
    return 1000 * int(value) if re.fullmatch(rb"[0-9]{1,9}", value) else None


def failure(
    scope: Scope,
    kind: str,
    message: str,
    status: int | None = None,
    retry_after_ms: int | None = None,
    refresh_suggested: bool = False,
    body: bytes | None = None,
) -> Failure:
    return Failure(scope, kind, status, message, retry_after_ms, refresh_suggested, body)
