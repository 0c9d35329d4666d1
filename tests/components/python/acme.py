"""The executor for the made-up provider of tests/mock-provider/src/acme.rs, as rust/acme.rs."""

import json

from typed import Events, failure, post_json, text_messages
from wit_world import exports
from wit_world.exports.planner import Descriptor
from wit_world.imports import conversation
from wit_world.imports.types import Failure, HttpHead, Payload, Payload_Text, Plan, Response_Frames, Target

KINDS = {"busy": "overloaded", "too-long": "invalid", "bad-key": "authentication"}
REASONS = {"done": "stop", "limit": "length", "call": "tool-calls"}


class Planner(exports.Planner):
    def describe(self) -> Descriptor:
        return Descriptor("1", ["common"], ["generate"], [], None, None, [])

    def prepare(self, target: Target) -> Plan:
        sampling = conversation.parameters()
        tools = conversation.tools()
        body = {
            "model": target.model,
            "stream": target.stream,
            "system": conversation.system(),
            "messages": [message(**it) for it in text_messages()],
            "tools": [{"name": it.name, "about": it.description, "schema": json.loads(it.schema)} for it in tools],
            "limit": sampling.tokens_max,
            "heat": sampling.temperature,
        }
        return Plan(post_json(target, "/generate", body), Response_Frames("lines"), [], b"", [])


def message(role="", text="", call=None, id=None) -> dict:
    if call is not None:
        return {"who": "model", "call": {"id": call.id, "tool": call.name, "input": json.loads(call.arguments)}}
    if id is not None:
        return {"who": "tool", "id": id, "text": text}
    return {"who": "model" if role == "assistant" else "user", "text": text}


def read_error(error: dict, other_kind: str) -> Failure | None:
    if "problem" not in error:
        return None
    wait = error.get("wait")
    kind = KINDS.get(error["problem"], other_kind)
    return failure(kind, error.get("why", ""), wait and 1000 * wait)


class Judge(exports.Judge):
    def judge(self, target: Target, head: HttpHead, body: Payload) -> Failure | None:
        return read_error(json.loads(body.value), "unclassified") if isinstance(body, Payload_Text) else None


class TypedReply(exports.TypedReply):
    """Its resource is in typed_reply.py, and reads each line so."""


def read_line(line: dict, events: Events) -> None:
    if error := read_error(line, "transient"):
        return events.failed(error)
    events.text("reasoning", line.get("think"))
    events.text("text", line.get("say"))
    for call in line.get("calls", []):
        events.call(call["id"], call["tool"], call["input"])
    if end := line.get("end"):
        events.usage(line["in"], line["out"])
        events.finish(REASONS.get(end, "content-filter"))
