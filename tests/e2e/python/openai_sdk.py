"""Tests the `openai` SDK against Jackfield. The only argument is the base URL."""

import sys

import openai

BASE_URL = sys.argv[1]
MESSAGES = [{"role": "user", "content": "hello"}]


def client(key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=BASE_URL, api_key=key, max_retries=0, timeout=30)


def raises(error: type[openai.APIStatusError], call) -> openai.APIStatusError:
    try:
        call()
    except openai.APIStatusError as raised:
        assert type(raised) is error, f"expected {error.__name__}, but {type(raised).__name__} was raised: {raised}"
        return raised
    raise AssertionError(f"expected {error.__name__}, but nothing was raised")


def send(model: str, key: str = "key-of-team-a", **more):
    return client(key).chat.completions.create(model=model, messages=MESSAGES, **more)


# A chat, by the model's name and by its alias.
for model in ["gpt-mock", "mock"]:
    response = send(model)
    assert response.choices[0].message.content == "mock-key says: word-1 word-2 word-3 word-4"
    assert response.choices[0].finish_reason == "stop"
    assert response.model == "gpt-mock", response.model
    assert response.usage.completion_tokens == 5
    # Unknown members pass in both directions.
    assert response.model_extra["x_mock"] == {"served_by": "mock-key"}
assert send("mock", extra_body={"mock": {"words": 2}}).usage.completion_tokens == 2

# A streamed chat, with usage.
stream = send("mock", stream=True, stream_options={"include_usage": True})
chunks = list(stream)
text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
assert text == "mock-key says: word-1 word-2 word-3 word-4", text
assert chunks[-1].usage.completion_tokens == 5

# The models.
assert [model.id for model in client("key-of-team-a").models.list()] == [
    "busy", "gpt-busy", "gpt-locked", "gpt-mock", "locked", "mock",
]

# The client key is invalid; then the provider rejects the credential, which says nothing about that key.
raised = raises(openai.AuthenticationError, lambda: send("mock", key="wrong"))
assert raised.response.headers["x-jackfield-error"] == "unauthorized"
raised = raises(openai.InternalServerError, lambda: send("locked"))
assert (raised.status_code, raised.code) == (503, "auth_unavailable"), raised
assert "locked-key" not in str(raised)

# Every credential is rate limited: first the provider returns the error, then Jackfield does.
raised = raises(openai.RateLimitError, lambda: send("busy"))
assert "busy-key" not in str(raised) and "[secret]" in str(raised), raised
raised = raises(openai.RateLimitError, lambda: send("busy"))
assert raised.code == "model_cooldown", raised
assert int(raised.response.headers["retry-after"]) >= 1

# The request is invalid: first the provider rejects it, then Jackfield does.
raised = raises(
    openai.BadRequestError,
    lambda: client("key-of-team-a").chat.completions.create(model="mock", messages=[]),
)
assert "messages" in str(raised)
raised = raises(
    openai.BadRequestError,
    lambda: client("key-of-team-a").chat.completions.create(model="", messages=MESSAGES),
)
assert raised.param == "model"

# A model that no provider serves.
raised = raises(openai.NotFoundError, lambda: send("no-such-model"))
assert raised.code == "model_not_found"

# A stream that breaks raises an error, after the events before the break.
received = []
try:
    for chunk in send("mock", stream=True, extra_body={"mock": {"break_after": 3, "pause_ms": 50}}):
        received.append(chunk.choices[0].delta.content)
    raise AssertionError("the SDK did not notice the broken stream")
except openai.APIError as raised:
    assert received == ["", "mock-key says:", " word-1"], received

print("all passed")
