"""What the `openai` SDK must see of Jackfield. Called with the base URL."""

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
        assert type(raised) is error, f"{type(raised).__name__} where {error.__name__} is due: {raised}"
        return raised
    raise AssertionError(f"nothing was raised where {error.__name__} is due")


def ask(model: str, key: str = "key-of-team-a", **more):
    return client(key).chat.completions.create(model=model, messages=MESSAGES, **more)


# A chat, by the model's name and by its alias.
for model in ["gpt-practice", "practice"]:
    answer = ask(model)
    assert answer.choices[0].message.content == "practice-key says: word-1 word-2 word-3 word-4"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "gpt-practice", answer.model
    assert answer.usage.completion_tokens == 5
    # Members that no dialect knows pass both ways.
    assert answer.model_extra["x_practice"] == {"served_by": "practice-key"}
assert ask("practice", extra_body={"practice": {"words": 2}}).usage.completion_tokens == 2

# A streamed chat, with usage.
stream = ask("practice", stream=True, stream_options={"include_usage": True})
chunks = list(stream)
text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
assert text == "practice-key says: word-1 word-2 word-3 word-4", text
assert chunks[-1].usage.completion_tokens == 5

# The models.
assert [model.id for model in client("key-of-team-a").models.list()] == [
    "busy", "gpt-busy", "gpt-locked", "gpt-practice", "locked", "practice",
]

# The client's own key is wrong; and the provider refuses the credential.
raised = raises(openai.AuthenticationError, lambda: ask("practice", key="wrong"))
assert raised.response.headers["x-jackfield-error"] == "unauthorized"
raised = raises(openai.AuthenticationError, lambda: ask("locked"))
assert "locked-key" not in str(raised)

# Every credential is rate limited: first by the provider's word, then by ours.
raised = raises(openai.RateLimitError, lambda: ask("busy"))
assert "busy-key" not in str(raised) and "[secret]" in str(raised), raised
raised = raises(openai.RateLimitError, lambda: ask("busy"))
assert raised.code == "model_cooldown", raised
assert int(raised.response.headers["retry-after"]) >= 1

# The request is wrong, by the provider's word and by ours.
raised = raises(
    openai.BadRequestError,
    lambda: client("key-of-team-a").chat.completions.create(model="practice", messages=[]),
)
assert "messages" in str(raised)
raised = raises(
    openai.BadRequestError,
    lambda: client("key-of-team-a").chat.completions.create(model="", messages=MESSAGES),
)
assert raised.param == "model"

# A model that nobody serves.
raised = raises(openai.NotFoundError, lambda: ask("nobody"))
assert raised.code == "model_not_found"

# A stream that breaks in the middle raises, and what came before it arrived.
received = []
try:
    for chunk in ask("practice", stream=True, extra_body={"practice": {"break_after": 3, "pause_ms": 50}}):
        received.append(chunk.choices[0].delta.content)
    raise AssertionError("a broken stream was taken for a whole one")
except openai.APIError as raised:
    assert received == ["", "practice-key says:", " word-1"], received

print("all held")
