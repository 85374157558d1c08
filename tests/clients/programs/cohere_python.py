import cohere
from checks import KEY, URL, check, raised
from cohere.core import ApiError

client = cohere.ClientV2(api_key=KEY, base_url=f"{URL}/p/cohere")
MODEL = "command-r7b-12-2024"
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def said(text):
    return [{"role": "user", "content": text}]


@check
def whole():
    answer = client.chat(model=MODEL, messages=said("Hello"))
    assert answer.message.content[-1].text == "Hello"
    assert answer.usage.billed_units.input_tokens == 41


@check
def streaming():
    texts = []
    for event in client.chat_stream(model=MODEL, messages=said("Hello")):
        if event.type == "content-delta":
            texts.append(event.delta.message.content.text)
    assert "".join(texts) == "Hello"
    assert event.type == "message-end"


@check
def tools():
    answer = client.chat(model=MODEL, messages=said("Hello"), tools=[WEATHER])
    assert answer.message.tool_calls[0].function.name == "weather"


@check
def errors():
    failure = raised(
        ApiError,
        client.chat,
        model=MODEL,
        messages=said("Please fail"),
        request_options={"max_retries": 0},
    )
    assert failure.status_code == 429
    stranger = cohere.ClientV2(api_key="cg-nobody", base_url=f"{URL}/p/cohere")
    assert raised(ApiError, stranger.chat, model=MODEL, messages=said("Hello")).status_code == 401


@check
def embeddings():
    answer = client.embed(
        model="embed-v4.0", input_type="search_document", embedding_types=["float"], texts=["red fox"]
    )
    assert answer.embeddings.float_ == [[0.5, 0.25]]
