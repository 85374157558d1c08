import groq
from checks import KEY, URL, check, raised

client = groq.Groq(api_key=KEY, base_url=f"{URL}/p/groq", max_retries=0)
MODEL = "llama-3.3-70b-versatile"
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def said(text):
    return [{"role": "user", "content": text}]


@check
def whole():
    answer = client.chat.completions.create(model=MODEL, messages=said("Hello"))
    assert answer.choices[0].message.content == "Hello there"
    assert answer.usage.prompt_tokens == 9


@check
def streaming():
    chunks = list(client.chat.completions.create(model=MODEL, messages=said("Hello"), stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello there"


@check
def tools():
    answer = client.chat.completions.create(
        model=MODEL, messages=said("Hello"), tools=[WEATHER], tool_choice="required"
    )
    assert answer.choices[0].message.tool_calls[0].function.name == "get_weather"


@check
def errors():
    raised(groq.RateLimitError, client.chat.completions.create, model=MODEL, messages=said("Please fail"))
    stranger = client.with_options(api_key="cg-nobody")
    raised(groq.AuthenticationError, stranger.chat.completions.create, model=MODEL, messages=said("Hello"))
