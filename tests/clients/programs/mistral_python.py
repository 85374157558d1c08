from checks import KEY, URL, check, raised

try:
    from mistralai import Mistral
    from mistralai.models import SDKError
except ImportError:  # as of version 2
    from mistralai.client import Mistral
    from mistralai.client.errors import SDKError

client = Mistral(api_key=KEY, server_url=URL)
MODEL = "mistral/mistral-small-latest"
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def said(text):
    return [{"role": "user", "content": text}]


@check
def whole():
    answer = client.chat.complete(model=MODEL, messages=said("Hello"))
    assert answer.choices[0].message.content == "Hello there"
    assert answer.usage.prompt_tokens == 9


@check
def streaming():
    with client.chat.stream(model=MODEL, messages=said("Hello")) as events:
        said_so = "".join(event.data.choices[0].delta.content or "" for event in events if event.data.choices)
    assert said_so == "Hello there"


@check
def tools():
    answer = client.chat.complete(model=MODEL, messages=said("Hello"), tools=[WEATHER], tool_choice="any")
    assert answer.choices[0].message.tool_calls[0].function.name == "get_weather"


@check
def errors():
    failure = raised(SDKError, client.chat.complete, model=MODEL, messages=said("Please fail"))
    assert failure.status_code == 429
    stranger = Mistral(api_key="cg-nobody", server_url=URL)
    refused = raised(SDKError, stranger.chat.complete, model=MODEL, messages=said("Hello"))
    assert refused.status_code == 401
