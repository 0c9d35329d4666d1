"""The `openai` SDK: responses. See features.py for the arguments."""

import json
from typing import Literal

import openai
from pydantic import BaseModel

from features import *

client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=30)

TOOLS = [
    {"type": "function", "name": name, "description": name, "parameters": parameters, "strict": True}
    for name, parameters in [("get_weather", WEATHER), ("get_time", CLOCK)]
]
REASONING = "This is mock reasoning. It is short."


def send(items, **more):
    return client.responses.create(model=MODEL, input=items, **more)


def types(events) -> list[str]:
    """Returns the types of the events, without consecutive repeats."""
    kinds = [event.type for event in events]
    return [kind for index, kind in enumerate(kinds) if index == 0 or kinds[index - 1] != kind]


def numbered(events) -> None:
    equal([event.sequence_number for event in events], list(range(len(events))))


@feature
def responses():
    response = send("hello", instructions="be kind")
    equal((response.output_text, response.status), (f"{RESPONSE_TEXT} [system: be kind]", "completed"))
    equal(response.usage.total_tokens, response.usage.input_tokens + response.usage.output_tokens)
    [message] = response.output
    equal((message.type, message.role, message.status), ("message", "assistant", "completed"))


@feature
def responses_stream():
    events = list(send("hello", stream=True))
    numbered(events)
    equal(
        types(events),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ],
    )
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    equal("".join(deltas), RESPONSE_TEXT)
    last = events[-1].response
    equal((last.output_text, last.status, last.usage.output_tokens), (RESPONSE_TEXT, "completed", 5))


@feature
def responses_usage():
    usage = send(directive("hello", cached_tokens=2)).usage
    equal((usage.output_tokens, usage.input_tokens_details.cached_tokens), (5, 2))


@feature
def responses_length():
    response = send(directive("hello", words=40), max_output_tokens=16)
    equal((response.status, response.incomplete_details.reason), ("incomplete", "max_output_tokens"))


@feature
def responses_tools():
    [call] = [item for item in send("use a tool", tools=TOOLS).output if item.type == "function_call"]
    equal((call.name, json.loads(call.arguments)), ("get_weather", WEATHER_ARGUMENTS))


@feature
def responses_tool_choice():
    named = {"type": "function", "name": "get_time"}
    [call] = send("hello", tools=TOOLS, tool_choice=named).output
    equal(call.name, "get_time")
    [call] = send("hello", tools=TOOLS, tool_choice="required").output
    equal(call.name, "get_weather")


@feature
def responses_tools_streamed():
    events = list(send("parallel tools", tools=TOOLS, stream=True))
    numbered(events)
    arguments = {}
    for event in events:
        if event.type == "response.function_call_arguments.delta":
            arguments[event.output_index] = arguments.get(event.output_index, "") + event.delta
        if event.type == "response.function_call_arguments.done":
            equal(event.arguments, arguments[event.output_index])
    calls = [item for item in events[-1].response.output if item.type == "function_call"]
    equal([call.name for call in calls], ["get_weather", "get_time"])
    equal([json.loads(text) for text in arguments.values()], [WEATHER_ARGUMENTS, CLOCK_ARGUMENTS])
    assert calls[0].call_id != calls[1].call_id


@feature
def responses_tool_results():
    items = [{"role": "user", "content": "parallel tools"}]
    output = send(items, tools=TOOLS).output
    items += output
    calls = [item for item in output if item.type == "function_call"]
    for call, result in zip(calls, ["21 degrees", "noon"]):
        items.append({"type": "function_call_output", "call_id": call.call_id, "output": result})
    equal(send(items, tools=TOOLS).output_text, f"{UPSTREAM_KEY} says: result 21 degrees result noon")


class Place(BaseModel):
    name: str
    unit: Literal["c", "f"]
    score: int


@feature
def responses_structured():
    response = client.responses.parse(model=MODEL, input="where?", text_format=Place)
    equal(response.output_parsed, Place(name="mock-name", unit="c", score=7))


@feature
def responses_image():
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    parts = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": url, "detail": "auto"},
    ]
    within(IMAGE_TEXT, send([{"role": "user", "content": parts}]).output_text)


def shown(output):
    """Returns the items that people read. The client only sends the others back."""
    return [item for item in output if item.type != "reasoning" or item.summary]


@feature
def responses_reasoning():
    reasoning = {"effort": "low", "summary": "auto"}
    response = send("hello", reasoning=reasoning)
    equal([item.type for item in shown(response.output)], ["reasoning", "message"])
    equal(response.output[0].summary[0].text, REASONING)
    equal(response.usage.output_tokens_details.reasoning_tokens, 3)
    events = list(send("hello", reasoning=reasoning, stream=True))
    deltas = [event.delta for event in events if event.type == "response.reasoning_summary_text.delta"]
    equal("".join(deltas), REASONING)


@feature
def responses_reasoning_returned():
    """Encrypted reasoning goes back, together with the tool result."""
    more = {
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "tools": TOOLS,
    }
    items = [{"role": "user", "content": "use a tool"}]
    output = send(items, **more).output
    equal([item.type for item in shown(output)], ["reasoning", "function_call"])
    assert any(item.encrypted_content for item in output if item.type == "reasoning"), output
    items += output
    items.append({"type": "function_call_output", "call_id": output[-1].call_id, "output": "21 degrees"})
    within("result 21 degrees", send(items, **more).output_text)


@feature
def responses_errors():
    for status, error in [
        (400, openai.BadRequestError),
        (401, refused(openai.AuthenticationError, openai.InternalServerError)),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ]:
        raises(error, lambda: send(directive("hello", status=status)))


@feature
def responses_error_in_stream():
    events = []
    text = directive("hello", events_error_after=6)
    try:
        events.extend(send(text, stream=True))
    except openai.APIError:
        return
    # The SDK returns an error event like any other event.
    within(events[-1].type, "error response.failed")


run()
