"""The `openai` SDK: chats, completions, embeddings and errors. See features.py for the arguments."""

import json
from typing import Literal

import openai
from pydantic import BaseModel

from features import *

client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=30)


def tool(name: str, parameters: dict) -> dict:
    function = {"name": name, "description": name, "parameters": parameters, "strict": True}
    return {"type": "function", "function": function}


TOOLS = [tool("get_weather", WEATHER), tool("get_time", CLOCK)]


def send(text, **more):
    messages = text if isinstance(text, list) else [{"role": "user", "content": text}]
    return client.chat.completions.create(model=MODEL, messages=messages, **more)


@feature
def chat():
    response = send("hello")
    equal(response.choices[0].message.content, RESPONSE_TEXT)
    equal(response.choices[0].finish_reason, "stop")
    equal(response.choices[0].message.role, "assistant")
    assert response.usage.prompt_tokens > 0, response.usage
    equal(response.usage.completion_tokens, 5)
    equal(response.usage.total_tokens, response.usage.prompt_tokens + 5)


@feature
def chat_stream():
    chunks = list(send("hello", stream=True))
    equal("".join(chunk.choices[0].delta.content or "" for chunk in chunks), RESPONSE_TEXT)
    equal([chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason], ["stop"])
    assert len(chunks) > 5, "a stream came in one piece"


@feature
def chat_usage():
    text = directive("hello", cached_tokens=2)
    whole = send(text).usage
    equal(whole.prompt_tokens_details.cached_tokens, 2)
    chunks = list(send(text, stream=True, stream_options={"include_usage": True}))
    usage = chunks[-1].usage
    equal(chunks[-1].choices, [])
    equal(
        (usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens),
        (whole.prompt_tokens, 5, 2),
    )


@feature
def chat_system():
    response = send([{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}])
    equal(response.choices[0].message.content, f"{RESPONSE_TEXT} [system: be kind]")


@feature
def chat_turns():
    turns = [("user", "a"), ("assistant", "b"), ("user", "c")]
    response = send([{"role": role, "content": text} for role, text in turns])
    equal(response.choices[0].message.content, RESPONSE_TEXT)


@feature
def chat_length():
    response = send("hello", max_completion_tokens=2)
    equal(response.choices[0].message.content, f"{UPSTREAM_KEY} says: word-1")
    equal(response.choices[0].finish_reason, "length")


@feature
def chat_stop():
    response = send("hello", stop=["word-3"])
    equal(response.choices[0].message.content, f"{UPSTREAM_KEY} says: word-1 word-2 ")
    equal(response.choices[0].finish_reason, "stop")


@feature
def chat_sampling():
    equal(send("hello", temperature=0.5, top_p=0.9).choices[0].message.content, RESPONSE_TEXT)


@feature
def chat_tools():
    choice = send("use a tool", tools=TOOLS).choices[0]
    equal(choice.finish_reason, "tool_calls")
    [call] = choice.message.tool_calls
    equal((call.type, call.function.name), ("function", "get_weather"))
    equal(json.loads(call.function.arguments), WEATHER_ARGUMENTS)


@feature
def chat_tool_choice():
    named = {"type": "function", "function": {"name": "get_time"}}
    [call] = send("hello", tools=TOOLS, tool_choice=named).choices[0].message.tool_calls
    equal(call.function.name, "get_time")
    [call] = send("hello", tools=TOOLS, tool_choice="required").choices[0].message.tool_calls
    equal(call.function.name, "get_weather")
    equal(send("a tool", tools=TOOLS, tool_choice="none").choices[0].message.tool_calls or [], [])


@feature
def chat_parallel_tools():
    calls = send("parallel tools", tools=TOOLS).choices[0].message.tool_calls
    equal([call.function.name for call in calls], ["get_weather", "get_time"])
    equal(json.loads(calls[1].function.arguments), CLOCK_ARGUMENTS)
    assert calls[0].id != calls[1].id
    [call] = send("parallel tools", tools=TOOLS, parallel_tool_calls=False).choices[0].message.tool_calls
    equal(call.function.name, "get_weather")


@feature
def chat_tools_streamed():
    calls, reasons = {}, []
    for chunk in send("parallel tools", tools=TOOLS, stream=True):
        for choice in chunk.choices:
            reasons += [choice.finish_reason] if choice.finish_reason else []
            for delta in choice.delta.tool_calls or []:
                call = calls.setdefault(delta.index, {"arguments": ""})
                call["id"] = call.get("id") or delta.id
                call["name"] = call.get("name") or delta.function.name
                call["arguments"] += delta.function.arguments or ""
    equal(reasons, ["tool_calls"])
    equal([calls[index]["name"] for index in sorted(calls)], ["get_weather", "get_time"])
    equal(json.loads(calls[0]["arguments"]), WEATHER_ARGUMENTS)
    equal(json.loads(calls[1]["arguments"]), CLOCK_ARGUMENTS)
    assert calls[0]["id"] and calls[0]["id"] != calls[1]["id"], calls


@feature
def chat_tool_results():
    messages = [{"role": "user", "content": "parallel tools"}]
    message = send(messages, tools=TOOLS).choices[0].message
    messages.append(message)
    for call, result in zip(message.tool_calls, ["21 degrees", "noon"]):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    response = send(messages, tools=TOOLS)
    equal(response.choices[0].message.content, f"{UPSTREAM_KEY} says: result 21 degrees result noon")
    # A second round, so that calls of both are in one conversation.
    messages += [response.choices[0].message, {"role": "user", "content": "use a tool"}]
    [call] = send(messages, tools=TOOLS).choices[0].message.tool_calls
    assert call.id not in [known.id for known in message.tool_calls]


class Place(BaseModel):
    name: str
    unit: Literal["c", "f"]
    tags: list[str]
    score: int


@feature
def chat_structured():
    messages = [{"role": "user", "content": "where?"}]
    response = client.chat.completions.parse(model=MODEL, messages=messages, response_format=Place)
    parsed = response.choices[0].message.parsed
    equal(parsed, Place(name="mock-name", unit="c", tags=["mock-tags"], score=7))


@feature
def chat_json_object():
    response = send("reply in json", response_format={"type": "json_object"})
    equal(json.loads(response.choices[0].message.content), {"served_by": UPSTREAM_KEY})


@feature
def chat_image():
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    within(IMAGE_TEXT, send([{"role": "user", "content": parts}]).choices[0].message.content)


@feature
def chat_reasoning():
    response = send("hello", reasoning_effort="low")
    equal(response.choices[0].message.content, RESPONSE_TEXT)
    equal(response.choices[0].message.model_extra["reasoning_content"], "This is mock reasoning. It is short.")
    equal(response.usage.completion_tokens_details.reasoning_tokens, 3)
    chunks = list(send("hello", reasoning_effort="low", stream=True))
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    reasoning = "".join((delta.model_extra or {}).get("reasoning_content") or "" for delta in deltas)
    equal(reasoning, "This is mock reasoning. It is short.")


@feature
def chat_errors():
    for status, error in [
        (400, openai.BadRequestError),
        (401, refused(openai.AuthenticationError, openai.InternalServerError)),
        (403, refused(openai.PermissionDeniedError, openai.InternalServerError)),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ]:
        raises(error, lambda: send(directive("hello", status=status)))
    raised = raises(openai.BadRequestError, lambda: send([]))
    within("messages", str(raised))


@feature
def chat_error_in_stream():
    received = []

    def read():
        for chunk in send(directive("hello", events_error_after=4), stream=True):
            received.extend(choice.delta.content or "" for choice in chunk.choices)

    raises(openai.APIError, read)
    within(f"{UPSTREAM_KEY} says:", "".join(received))


@feature
def completions():
    response = client.completions.create(model=MODEL, prompt="hello")
    equal((response.choices[0].text, response.usage.completion_tokens), (RESPONSE_TEXT, 5))
    stream = client.completions.create(model=MODEL, prompt="hello", stream=True)
    equal("".join(chunk.choices[0].text for chunk in stream), RESPONSE_TEXT)


@feature
def embeddings():
    response = client.embeddings.create(model=MODEL, input=["a", "b"], dimensions=4)
    first, second = (item.embedding for item in response.data)
    equal((len(first), len(second)), (4, 4))
    assert first != second
    again = client.embeddings.create(model=MODEL, input="a", dimensions=4, encoding_format="float")
    # By default the SDK requests base64. Both encodings must give the same vector.
    for one, other in zip(first, again.data[0].embedding):
        assert abs(one - other) < 1e-6, (first, again.data[0].embedding)


@feature
def models():
    assert len(list(client.models.list())) > 0


run()
