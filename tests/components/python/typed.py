"""Helpers for executors that speak no dialect: the texts of the conversation, events in their order, failures."""

import json

from componentize_py_types import Err
from wit_world.exports.typed_reply import (
    Delta,
    Event,
    Event_Begin,
    Event_Delta,
    Event_End,
    Event_Failed,
    Event_Finish,
    Event_Usage,
    Finish,
    Item,
    Output,
)
from wit_world.imports import conversation
from wit_world.imports.conversation import Part_Call, Part_Reasoning, Part_Result, Part_Text, SimplePart_Text
from wit_world.imports.types import (
    Body_Written,
    Failure,
    Header,
    HttpRequest,
    Payload_Text,
    SecretPlace_Bearer,
    SecretUse,
    Target,
    Usage,
)

SCOPES = {"authentication": "credential", "invalid": "request", "unsupported": "request", "rate-limit": "model"}


def failure(kind: str, message: str, retry_after_ms: int | None = None) -> Failure:
    """A failure, whose scope follows from its kind."""
    return Failure(SCOPES.get(kind, "provider"), kind, None, message, retry_after_ms, False, None, [])


def text_messages() -> list[dict]:
    """The conversation as texts, calls of tools and their results. Raises a failure if it has anything else."""
    turns = conversation.turns(0, conversation.turn_count())
    messages = (text_message(turn.role, block.part) for turn in turns for block in turn.blocks)
    return [message for message in messages if message]


def text_message(role: str, part: conversation.Part) -> dict | None:
    match part:
        case Part_Text(text):
            return {"role": role, "text": text}
        case Part_Call(call):
            return {"call": call}
        case Part_Result(result) if all(isinstance(it, SimplePart_Text) for it in result.content):
            return {"id": result.call_id, "text": "\n".join(it.value for it in result.content)}
        case Part_Reasoning(_):
            return None
    raise Err(failure("unsupported", "this provider takes text only"))


def post_json(target: Target, path: str, body: object) -> HttpRequest:
    """A request with a JSON body to a path below the base URL, authorized by the key of the credential."""
    if target.credential is None:
        raise Err(failure("authentication", "no credential"))
    return HttpRequest(
        method="POST",
        url=target.credential.base_url + path,
        headers=[Header("content-type", b"application/json")],
        forward_headers=[],
        forward_query=[],
        secrets=[SecretUse("api-key", SecretPlace_Bearer())],
        body=Body_Written(Payload_Text(json.dumps(body))),
        options=[],
    )


class Events:
    """Collects the events of a response. An item ends when another one begins."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.open: Item | None = None
        self.next = 0
        self.done = False

    def text(self, kind: str, text: str | None) -> None:
        """A piece of a text: `kind` is `text`, `reasoning` or `refusal`."""
        if not text:
            return
        if self.open is None or self.open.kind != kind:
            self.begin(kind)
        self.delta("text", text)

    def call(self, id: str, name: str, input: object) -> None:
        """A call of a tool; `input` is a JSON value."""
        self.begin("call", id, name)
        self.delta("arguments", json.dumps(input, separators=(",", ":")))
        self.end()

    def usage(self, input: int, output: int) -> None:
        self.events.append(Event_Usage(Usage(input, output, 0, 0, 0, [])))

    def finish(self, reason: str) -> None:
        """The end of the response."""
        self.end()
        self.done = True
        self.events.append(Event_Finish(Finish(0, reason, None, [])))

    def failed(self, error: Failure) -> None:
        self.events.append(Event_Failed(error))

    def output(self) -> Output:
        """The output of a `push`: the events since the last one."""
        events, self.events = self.events, []
        return Output(events, done=self.done, next=None, options=[])

    def begin(self, kind: str, id: str = "", name: str = "") -> None:
        self.end()
        self.open = Item(self.next, 0, kind, id, name, [])
        self.next += 1
        self.events.append(Event_Begin(self.open))

    def delta(self, kind: str, text: str) -> None:
        self.events.append(Event_Delta(Delta(self.open.index, kind, Payload_Text(text), [])))

    def end(self) -> None:
        if self.open is not None:
            self.events.append(Event_End(self.open.index))
        self.open = None
