from checks import KEY, URL, check, raised
from google import genai
from google.genai import errors as genai_errors
from google.genai import types

client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL))
MODEL = "gemini-2.5-flash"
WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="weather",
            parameters=types.Schema(type="OBJECT", properties={"city": types.Schema(type="STRING")}),
        )
    ]
)


@check
def whole():
    answer = client.models.generate_content(model=MODEL, contents="Hello")
    assert answer.text == "Hello there"
    assert answer.usage_metadata.total_token_count == 162


@check
def streaming():
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="Hello"))
    assert "".join(chunk.text or "" for chunk in chunks) == "Hello there"
    assert chunks[-1].usage_metadata.total_token_count == 162


@check
def tools():
    answer = client.models.generate_content(
        model=MODEL, contents="Hello", config=types.GenerateContentConfig(tools=[WEATHER])
    )
    assert answer.function_calls[0].name == "weather"


@check
def errors():
    failure = raised(genai_errors.ServerError, client.models.generate_content, model=MODEL, contents="Please fail")
    assert failure.code == 503
    stranger = genai.Client(api_key="cg-nobody", http_options=types.HttpOptions(base_url=URL))
    refused = raised(genai_errors.ClientError, stranger.models.generate_content, model=MODEL, contents="Hello")
    assert (refused.code, refused.status) == (401, "UNAUTHENTICATED")


@check
def count_tokens():
    assert client.models.count_tokens(model=MODEL, contents="Hello").total_tokens == 14


@check
def embeddings():
    answer = client.models.embed_content(model="gemini-embedding-001", contents="Hello")
    assert answer.embeddings[0].values == [0.5, 0.25]
