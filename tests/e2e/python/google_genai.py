"""The `google-genai` SDK: content, functions, counts, embeddings and models. See features.py for the
arguments."""

from google import genai
from google.genai import errors as genai_errors
from google.genai import types
from pydantic import BaseModel

from features import *

client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=BASE_URL, timeout=30_000))
# The API version that most documentation names; `client` has the SDK's default.
beta = genai.Client(
    api_key=KEY, http_options=types.HttpOptions(base_url=BASE_URL, timeout=30_000, api_version="v1beta")
)

REASONING = "This is mock reasoning. It is short."


def functions() -> list:
    closed = lambda schema: {name: value for name, value in schema.items() if name != "additionalProperties"}
    declare = lambda name, schema: types.FunctionDeclaration(
        name=name, description=name, parameters_json_schema=closed(schema)
    )
    return [types.Tool(function_declarations=[declare("get_weather", WEATHER), declare("get_time", CLOCK)])]


MANUAL = types.AutomaticFunctionCallingConfig(disable=True)


def send(contents, **config):
    return client.models.generate_content(model=MODEL, contents=contents, config=config or None)


def tools(contents, **config):
    return send(contents, tools=functions(), automatic_function_calling=MANUAL, **config)


def thinking() -> types.ThinkingConfig:
    return types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)


def parts(response) -> list:
    return response.candidates[0].content.parts


@feature
def generate():
    response = send("hello")
    equal((response.text, response.candidates[0].finish_reason), (RESPONSE_TEXT, types.FinishReason.STOP))
    usage = response.usage_metadata
    equal(usage.candidates_token_count, 5)
    equal(usage.total_token_count, usage.prompt_token_count + 5)


@feature
def generate_beta():
    equal(beta.models.generate_content(model=MODEL, contents="hello").text, RESPONSE_TEXT)


@feature
def stream():
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="hello"))
    equal("".join(chunk.text or "" for chunk in chunks), RESPONSE_TEXT)
    equal(chunks[-1].candidates[0].finish_reason, types.FinishReason.STOP)
    assert len(chunks) > 1, "a stream came in one piece"
    equal(chunks[-1].usage_metadata.candidates_token_count, 5)


@feature
def usage():
    equal(send(directive("hello", cached_tokens=2)).usage_metadata.cached_content_token_count, 2)


@feature
def system():
    equal(send("hello", system_instruction="be kind").text, f"{RESPONSE_TEXT} [system: be kind]")


@feature
def turns():
    chat = client.chats.create(model=MODEL)
    equal(chat.send_message("hello").text, RESPONSE_TEXT)
    equal(chat.send_message("hello again").text, RESPONSE_TEXT)


@feature
def length():
    response = send("hello", max_output_tokens=2)
    equal(response.candidates[0].finish_reason, types.FinishReason.MAX_TOKENS)
    equal(response.text, f"{UPSTREAM_KEY} says: word-1")


@feature
def stop():
    equal(send("hello", stop_sequences=["word-3"]).text, f"{UPSTREAM_KEY} says: word-1 word-2 ")


@feature
def sampling():
    equal(send("hello", temperature=0.5, top_p=0.9).text, RESPONSE_TEXT)


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
    response = tools("a tool", tool_config=types.ToolConfig(function_calling_config=mode))
    equal(response.function_calls or [], [])


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


def with_results(response) -> list:
    texts = ["21 degrees", "noon"]
    results = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": text}))
        for call, text in zip(response.function_calls, texts)
    ]
    prompt = types.Content(role="user", parts=[types.Part(text="parallel tools")])
    return [prompt, response.candidates[0].content, types.Content(role="user", parts=results)]


@feature
def function_results():
    contents = with_results(tools("parallel tools"))
    equal(tools(contents).text, f"{UPSTREAM_KEY} says: result 21 degrees result noon")


@feature
def automatic_functions():
    """The SDK calls the function itself, and sends its result."""

    def get_weather(city: str, days: int) -> str:
        """Returns the weather."""
        return f"{days} days of sun in {city}"

    chat = client.chats.create(model=MODEL, config={"tools": [get_weather]})
    within("7 days of sun in mock-city", chat.send_message("use a tool").text)


@feature
def thoughts():
    response = send("hello", thinking_config=thinking())
    equal([part.text for part in parts(response) if part.thought], [REASONING])
    equal(response.text, RESPONSE_TEXT)
    equal(response.usage_metadata.thoughts_token_count, 3)


@feature
def thoughts_returned():
    """Signatures go back with the calls that they belong to."""
    response = tools("parallel tools", thinking_config=thinking())
    signatures = [part.thought_signature for part in parts(response) if part.thought_signature]
    assert signatures, parts(response)
    within("result 21 degrees", tools(with_results(response), thinking_config=thinking()).text)


class Place(BaseModel):
    name: str
    score: int
    tags: list[str]


@feature
def structured():
    response = send("where?", response_mime_type="application/json", response_schema=Place)
    equal(response.parsed, Place(name="mock-name", score=7, tags=["mock-tags"]))
    schema = Place.model_json_schema()
    response = send("where?", response_mime_type="application/json", response_json_schema=schema)
    equal(json.loads(response.text)["score"], 7)


@feature
def image():
    within(IMAGE_TEXT, send(["look", types.Part.from_bytes(data=PNG, mime_type="image/png")]).text)


@feature
def document():
    pdf = types.Part.from_bytes(data=b"%PDF-1.7", mime_type="application/pdf")
    within("saw document application/pdf 8 bytes", send(["read", pdf]).text)


@feature
def count_tokens():
    count = lambda text: client.models.count_tokens(model=MODEL, contents=text).total_tokens
    assert 0 < count("one two three") < count("one two three four five six")


@feature
def embed():
    config = types.EmbedContentConfig(output_dimensionality=4)
    response = client.models.embed_content(model=MODEL, contents=["a", "b"], config=config)
    first, second = (item.values for item in response.embeddings)
    equal((len(first), len(second)), (4, 4))
    assert first != second


@feature
def errors():
    for status, error in [
        (400, genai_errors.ClientError),
        (403, refused(genai_errors.ClientError, genai_errors.ServerError)),
        (404, genai_errors.ClientError),
        (429, genai_errors.ClientError),
        (500, genai_errors.ServerError),
        (503, genai_errors.ServerError),
    ]:
        raised = raises(error, lambda: send(directive("hello", status=status)))
        equal(raised.code, 503 if status == 403 and IS_PROXIED else status)
        assert raised.status and raised.message, raised


@feature
def error_of_request():
    contents = [types.Content(role="assistant", parts=[types.Part(text="a")])]
    equal(raises(genai_errors.ClientError, lambda: send(contents)).status, "INVALID_ARGUMENT")


@feature
def models():
    listed = list(client.models.list())
    assert listed and listed[0].name.startswith("models/"), listed


run()
