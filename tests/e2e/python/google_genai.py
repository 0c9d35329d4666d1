"""The `google-genai` SDK: content, functions, counts, embeddings and models. See features.py for the
arguments."""

from google import genai
from google.genai import errors as genai_errors
from google.genai import types
from pydantic import BaseModel

from features import *

client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=BASE_URL, timeout=30_000))
# The version of the API that most documentation names; the SDK's own choice is `client`.
beta = genai.Client(
    api_key=KEY, http_options=types.HttpOptions(base_url=BASE_URL, timeout=30_000, api_version="v1beta")
)

THOUGHT = "This is mock reasoning. It is short."


def functions() -> list:
    closed = lambda schema: {name: value for name, value in schema.items() if name != "additionalProperties"}
    declare = lambda name, schema: types.FunctionDeclaration(
        name=name, description=name, parameters_json_schema=closed(schema)
    )
    return [types.Tool(function_declarations=[declare("get_weather", WEATHER), declare("get_time", CLOCK)])]


MANUAL = types.AutomaticFunctionCallingConfig(disable=True)


def ask(contents, **config):
    return client.models.generate_content(model=MODEL, contents=contents, config=config or None)


def tools(contents, **config):
    return ask(contents, tools=functions(), automatic_function_calling=MANUAL, **config)


def thinking() -> types.ThinkingConfig:
    return types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)


def parts(answer) -> list:
    return answer.candidates[0].content.parts


@feature
def generate():
    answer = ask("hello")
    equal((answer.text, answer.candidates[0].finish_reason), (HELLO, types.FinishReason.STOP))
    usage = answer.usage_metadata
    equal(usage.candidates_token_count, 5)
    equal(usage.total_token_count, usage.prompt_token_count + 5)


@feature
def generate_beta():
    equal(beta.models.generate_content(model=MODEL, contents="hello").text, HELLO)


@feature
def stream():
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="hello"))
    equal("".join(chunk.text or "" for chunk in chunks), HELLO)
    equal(chunks[-1].candidates[0].finish_reason, types.FinishReason.STOP)
    assert len(chunks) > 1, "a stream came in one piece"
    equal(chunks[-1].usage_metadata.candidates_token_count, 5)


@feature
def usage():
    equal(ask(wish("hello", cached_tokens=2)).usage_metadata.cached_content_token_count, 2)


@feature
def system():
    equal(ask("hello", system_instruction="be kind").text, f"{HELLO} [system: be kind]")


@feature
def turns():
    chat = client.chats.create(model=MODEL)
    equal(chat.send_message("hello").text, HELLO)
    equal(chat.send_message("hello again").text, HELLO)


@feature
def length():
    answer = ask("hello", max_output_tokens=2)
    equal(answer.candidates[0].finish_reason, types.FinishReason.MAX_TOKENS)
    equal(answer.text, f"{SAYS} says: word-1")


@feature
def stop():
    equal(ask("hello", stop_sequences=["word-3"]).text, f"{SAYS} says: word-1 word-2 ")


@feature
def sampling():
    equal(ask("hello", temperature=0.5, top_p=0.9).text, HELLO)


@feature
def function_calls():
    [call] = tools("use a tool").function_calls
    equal((call.name, call.args), ("get_weather", WEATHER_ARGUMENTS))


@feature
def function_choice():
    mode = types.FunctionCallingConfig(mode="ANY", allowed_function_names=["get_time"])
    [call] = tools("hello", tool_config=types.ToolConfig(function_calling_config=mode)).function_calls
    equal(call.name, "get_time")
    mode = types.FunctionCallingConfig(mode="NONE")
    answer = tools("a tool", tool_config=types.ToolConfig(function_calling_config=mode))
    equal(answer.function_calls or [], [])


@feature
def parallel_function_calls():
    calls = tools("parallel tools").function_calls
    equal([call.name for call in calls], ["get_weather", "get_time"])
    equal(calls[1].args, CLOCK_ARGUMENTS)


@feature
def function_calls_streamed():
    config = {"tools": functions(), "automatic_function_calling": MANUAL}
    chunks = client.models.generate_content_stream(model=MODEL, contents="parallel tools", config=config)
    calls = [call for chunk in chunks for call in chunk.function_calls or []]
    equal([call.args for call in calls], [WEATHER_ARGUMENTS, CLOCK_ARGUMENTS])


def answered(answer) -> list:
    told = ["21 degrees", "noon"]
    made = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": text}))
        for call, text in zip(answer.function_calls, told)
    ]
    asked = types.Content(role="user", parts=[types.Part(text="parallel tools")])
    return [asked, answer.candidates[0].content, types.Content(role="user", parts=made)]


@feature
def function_results():
    contents = answered(tools("parallel tools"))
    equal(tools(contents).text, f"{SAYS} says: result 21 degrees result noon")


@feature
def automatic_functions():
    """The SDK calls the function itself, and sends what it answered."""

    def get_weather(city: str, days: int) -> str:
        """Tells the weather."""
        return f"{days} days of sun in {city}"

    chat = client.chats.create(model=MODEL, config={"tools": [get_weather]})
    within("7 days of sun in mock-city", chat.send_message("use a tool").text)


@feature
def thoughts():
    answer = ask("hello", thinking_config=thinking())
    equal([part.text for part in parts(answer) if part.thought], [THOUGHT])
    equal(answer.text, HELLO)
    equal(answer.usage_metadata.thoughts_token_count, 3)


@feature
def thoughts_returned():
    """Signatures go back with the calls that they came with."""
    answer = tools("parallel tools", thinking_config=thinking())
    signatures = [part.thought_signature for part in parts(answer) if part.thought_signature]
    assert signatures, parts(answer)
    within("result 21 degrees", tools(answered(answer), thinking_config=thinking()).text)


class Place(BaseModel):
    name: str
    score: int
    tags: list[str]


@feature
def structured():
    answer = ask("where?", response_mime_type="application/json", response_schema=Place)
    equal(answer.parsed, Place(name="mock-name", score=7, tags=["mock-tags"]))
    schema = Place.model_json_schema()
    answer = ask("where?", response_mime_type="application/json", response_json_schema=schema)
    equal(json.loads(answer.text)["score"], 7)


@feature
def image():
    within(SAW, ask(["look", types.Part.from_bytes(data=PNG, mime_type="image/png")]).text)


@feature
def document():
    pdf = types.Part.from_bytes(data=b"%PDF-1.7", mime_type="application/pdf")
    within("saw document application/pdf 8 bytes", ask(["read", pdf]).text)


@feature
def count_tokens():
    count = lambda text: client.models.count_tokens(model=MODEL, contents=text).total_tokens
    assert 0 < count("one two three") < count("one two three four five six")


@feature
def embed():
    config = types.EmbedContentConfig(output_dimensionality=4)
    answer = client.models.embed_content(model=MODEL, contents=["a", "b"], config=config)
    first, second = (item.values for item in answer.embeddings)
    equal((len(first), len(second)), (4, 4))
    assert first != second


@feature
def errors():
    for status, error in [
        (400, genai_errors.ClientError),
        (403, genai_errors.ClientError),
        (404, genai_errors.ClientError),
        (429, genai_errors.ClientError),
        (500, genai_errors.ServerError),
        (503, genai_errors.ServerError),
    ]:
        raised = raises(error, lambda: ask(wish("hello", status=status)))
        equal(raised.code, status)
        assert raised.status and raised.message, raised


@feature
def error_of_request():
    contents = [types.Content(role="assistant", parts=[types.Part(text="a")])]
    equal(raises(genai_errors.ClientError, lambda: ask(contents)).status, "INVALID_ARGUMENT")


@feature
def models():
    listed = list(client.models.list())
    assert listed and listed[0].name.startswith("models/"), listed


run()
