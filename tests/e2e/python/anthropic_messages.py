"""The `anthropic` SDK: messages, token counts and models. See features.py for the arguments."""

import anthropic

from features import *

client = anthropic.Anthropic(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=30)

TOOLS = [
    {"name": "get_weather", "description": "weather", "input_schema": WEATHER},
    {"name": "get_time", "description": "time", "input_schema": CLOCK},
]
REASONING = "This is mock reasoning. It is short."
THINKING = {"type": "enabled", "budget_tokens": 1024}


def of_user(content) -> dict:
    return {"role": "user", "content": content}


def send(content, max_tokens=2048, **more):
    messages = content if isinstance(content, list) and "role" in content[0] else [of_user(content)]
    return client.messages.create(model=MODEL, max_tokens=max_tokens, messages=messages, **more)


def streamed(content, **more):
    """Returns the types of the events, and the whole message."""
    with client.messages.stream(model=MODEL, max_tokens=2048, messages=[of_user(content)], **more) as stream:
        kinds = [event.type for event in stream]
        return kinds, stream.get_final_message()


@feature
def messages():
    response = send("hello")
    equal((response.type, response.role, response.stop_reason), ("message", "assistant", "end_turn"))
    [block] = response.content
    equal((block.type, block.text), ("text", RESPONSE_TEXT))
    equal(response.usage.output_tokens, 5)
    assert response.usage.input_tokens > 0


@feature
def messages_stream():
    kinds, message = streamed("hello")
    equal((kinds[0], kinds[-1]), ("message_start", "message_stop"))
    for kind in ["content_block_start", "content_block_delta", "content_block_stop", "message_delta"]:
        assert kind in kinds, kinds
    equal((message.content[0].text, message.stop_reason), (RESPONSE_TEXT, "end_turn"))
    equal(message.usage.output_tokens, 5)


@feature
def messages_raw_stream():
    events = list(send("hello", stream=True))
    texts = [event.delta.text for event in events if event.type == "content_block_delta"]
    equal(("".join(texts), events[-1].type), (RESPONSE_TEXT, "message_stop"))
    assert len(texts) > 1, "a stream came in one piece"


@feature
def messages_usage():
    whole, text = send("hello").usage, directive("hello", cached_tokens=2)
    usage = send(text).usage
    equal((usage.cache_read_input_tokens, whole.cache_read_input_tokens or 0), (2, 0))
    equal(streamed(text)[1].usage.cache_read_input_tokens, 2)


@feature
def messages_system():
    equal(send("hello", system="be kind").content[0].text, f"{RESPONSE_TEXT} [system: be kind]")
    blocks = [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}]
    equal(send("hello", system=blocks).content[0].text, f"{RESPONSE_TEXT} [system: be kind]")


@feature
def messages_length():
    response = send("hello", max_tokens=2)
    equal((response.content[0].text, response.stop_reason), (f"{UPSTREAM_KEY} says: word-1", "max_tokens"))


@feature
def messages_stop():
    response = send("hello", stop_sequences=["word-3"])
    equal(response.content[0].text, f"{UPSTREAM_KEY} says: word-1 word-2 ")


@feature
def messages_stop_sequence_named():
    response = send("hello", stop_sequences=["word-3"])
    equal((response.stop_reason, response.stop_sequence), ("stop_sequence", "word-3"))


@feature
def messages_tools():
    response = send("use a tool", tools=TOOLS)
    [call] = [block for block in response.content if block.type == "tool_use"]
    equal((call.name, call.input, response.stop_reason), ("get_weather", WEATHER_ARGUMENTS, "tool_use"))


@feature
def messages_tool_choice():
    named = {"type": "tool", "name": "get_time"}
    equal(send("hello", tools=TOOLS, tool_choice=named).content[0].name, "get_time")
    equal(send("hello", tools=TOOLS, tool_choice={"type": "any"}).content[0].name, "get_weather")
    equal(send("a tool", tools=TOOLS, tool_choice={"type": "none"}).content[0].type, "text")


@feature
def messages_parallel_tools():
    calls = send("parallel tools", tools=TOOLS).content
    equal([call.name for call in calls], ["get_weather", "get_time"])
    single = {"type": "auto", "disable_parallel_tool_use": True}
    equal(len(send("parallel tools", tools=TOOLS, tool_choice=single).content), 1)


@feature
def messages_tools_streamed():
    _, message = streamed("parallel tools", tools=TOOLS)
    equal([call.name for call in message.content], ["get_weather", "get_time"])
    equal([call.input for call in message.content], [WEATHER_ARGUMENTS, CLOCK_ARGUMENTS])
    equal(message.stop_reason, "tool_use")


def with_results(message, texts: list) -> list:
    calls = [block for block in message.content if block.type == "tool_use"]
    blocks = [{"type": "tool_result", "tool_use_id": call.id, "content": text} for call, text in zip(calls, texts)]
    return [of_user("parallel tools"), {"role": "assistant", "content": message.content}, of_user(blocks)]


@feature
def messages_tool_results():
    turns = with_results(send("parallel tools", tools=TOOLS), ["21 degrees", "noon"])
    response = send(turns, tools=TOOLS)
    equal(response.content[0].text, f"{UPSTREAM_KEY} says: result 21 degrees result noon")


def last_text(message):
    return [block.text for block in message.content if block.type == "text"][-1]


def shown(message):
    """Returns the types of the blocks that people read. The client only sends the others back."""
    hidden = lambda block: block.type == "redacted_thinking" or (block.type == "thinking" and not block.thinking)
    return [block.type for block in message.content if not hidden(block)]


@feature
def messages_thinking():
    response = send("hello", thinking=THINKING)
    equal(shown(response), ["thinking", "text"])
    equal(response.content[0].thinking, REASONING)
    assert any(block.signature for block in response.content if block.type == "thinking"), "there is no signature"
    _, message = streamed("hello", thinking=THINKING)
    equal(shown(message), ["thinking", "text"])
    equal(message.content[0].thinking, REASONING)
    assert any(block.signature for block in message.content if block.type == "thinking"), "there is no signature"


@feature
def messages_thinking_returned():
    """Thinking blocks go back with their signatures, together with the tool results."""
    more = {"tools": TOOLS, "thinking": THINKING}
    for message in [send("parallel tools", **more), streamed("parallel tools", **more)[1]]:
        equal(shown(message), ["thinking", "tool_use", "tool_use"])
        response = send(with_results(message, ["21 degrees", "noon"]), **more)
        within("result 21 degrees result noon", last_text(response))


@feature
def messages_structured():
    schema = {**WEATHER, "properties": {**WEATHER["properties"]}}
    config = {"format": {"type": "json_schema", "schema": schema}}
    text = send("where?", output_config=config).content[0].text
    equal(json.loads(text), WEATHER_ARGUMENTS)


@feature
def messages_image():
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}
    blocks = [{"type": "image", "source": source}, {"type": "text", "text": "look"}]
    within(IMAGE_TEXT, send(blocks).content[-1].text)


@feature
def messages_document():
    source = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(b"%PDF-1.7").decode()}
    blocks = [{"type": "document", "source": source}, {"type": "text", "text": "read"}]
    within("saw document application/pdf 8 bytes", send(blocks).content[-1].text)


@feature
def count_tokens():
    counted = client.messages.count_tokens(model=MODEL, messages=[of_user("one two three")])
    more = client.messages.count_tokens(model=MODEL, messages=[of_user("one two three four five six")])
    assert 0 < counted.input_tokens < more.input_tokens, (counted, more)


@feature
def errors():
    for status, error in [
        (400, anthropic.BadRequestError),
        (401, refused(anthropic.AuthenticationError, anthropic.ServiceUnavailableError)),
        (403, refused(anthropic.PermissionDeniedError, anthropic.ServiceUnavailableError)),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
    ]:
        raised = raises(error, lambda: send(directive("hello", status=status)))
        equal(raised.body["type"], "error")
        assert raised.body["error"]["type"] and raised.body["error"]["message"], raised.body


@feature
def error_of_request():
    turns = [of_user("a"), {"role": "assistant", "content": "b"}, of_user("")]
    within("messages", str(raises(anthropic.BadRequestError, lambda: send(turns))))


@feature
def error_in_stream():
    received = []

    def read():
        for event in send(directive("hello", events_error_after=5), stream=True):
            received.append(event.type)

    try:
        read()
    except anthropic.APIStatusError as raised:
        equal(raised.body["type"], "error")
        assert "content_block_start" in received, received
        return
    raise AssertionError(f"no error was raised after {received}")


@feature
def models():
    listed = list(client.models.list())
    assert listed and listed[0].type == "model" and listed[0].display_name, listed


run()
