"""The example executor: serves any provider with the dialect `openai-chat`.

The host's tests run the same executor in Rust, JavaScript and Python; see ../README.md. It can use
only `wit_world` and the standard library: a component has no network, no clock and no random numbers.

WIT in Python: names are in snake_case, a record is a dataclass, a variant has one class per case,
`none` is None, `list<u8>` is bytes. A function that returns a `result` raises `Err(failure)`. Data is
`Payload_Text`, if it is UTF-8. componentize-py looks for the resource `converter` in a module with the name
of its interface, `reply`.
"""

import json
import re

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.planner import Descriptor
from wit_world.imports import client_body
from wit_world.imports.types import (
    Body,
    Body_Original,
    Body_Patched,
    Failure,
    Header,
    HttpHead,
    HttpRequest,
    Patch_Replace,
    Payload,
    Plan,
    Response_Frames,
    Response_Whole,
    SecretPlace_Bearer,
    SecretUse,
    Target,
)

from failures import failure


class Planner(exports.Planner):
    def describe(self) -> Descriptor:
        return Descriptor(
            version="1.0.0",
            dialects=["openai-chat"],
            operations=["generate"],
            hosts=[],
            default_base_url=None,
            refresh_lead_ms=None,
            options=[],
        )

    def prepare(self, target: Target) -> Plan:
        if target.operation != "generate":
            raise Err(failure("request", "unsupported", "this executor only generates"))
        refusal = client_body.at("/refuse")
        if refusal is not None:
            raise Err(failure("request", "invalid", f"refused: {refusal}", status=400))
        if target.credential is None:
            raise Err(failure("credential", "authentication", "no credential"))
        return Plan(
            request=HttpRequest(
                method="POST",
                url=f"{target.credential.base_url}/chat/completions",
                headers=[Header("content-type", b"application/json")],
                forward_headers=[],
                forward_query=[],
                secrets=[SecretUse("api-key", SecretPlace_Bearer())],
                body=body(target),
                options=[],
            ),
            response=Response_Frames("sse") if target.stream else Response_Whole(),
            captures=[],
            state=target.model.encode(),
            options=[],
        )


class Judge(exports.Judge):
    def judge(self, target: Target, head: HttpHead, body: Payload) -> Failure | None:
        """Classifies an error response. None would leave it to the host."""
        fields = {"status": head.status, "body": body}
        message = f"the provider returned {head.status}"
        match head.status:
            case 401:
                fields["refresh_suggested"] = True
                return failure("credential", "authentication", message, **fields)
            case 429:
                fields["retry_after_ms"] = retry_after_ms(head)
                return failure("model", "rate-limit", message, **fields)
            case _:
                return failure("provider", "transient", message, **fields)


class Reply(exports.Reply):
    """Its resource is in reply.py."""


def body(target: Target) -> Body:
    """The client's body, with the model replaced if the provider has another name for it."""
    if target.client_model == target.model:
        return Body_Original()
    model = json.dumps(target.model, ensure_ascii=False)
    return Body_Patched([Patch_Replace(("/model", model))])


def retry_after_ms(head: HttpHead) -> int | None:
    """The value of the header `retry-after` in milliseconds, if it is a number of seconds."""
    value = next((header.value for header in head.headers if header.name == "retry-after"), b"")
    # Nine digits are thirty years. A longer number is an error of the provider.
    return 1000 * int(value) if re.fullmatch(rb"[0-9]{1,9}", value) else None
