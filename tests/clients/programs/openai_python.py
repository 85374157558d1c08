import openai
from checks import KEY, SAY, URL, check, raised
from pydantic import BaseModel

client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
MESSAGES = [{"role": "user", "content": SAY}]
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


class Fox(BaseModel):
    name: str
    legs: int


@check
def whole():
    answer = client.chat.completions.create(model="demo/echo", messages=MESSAGES)
    assert answer.choices[0].message.content == SAY
    assert answer.usage.completion_tokens > 0


@check
def streaming():
    with client.chat.completions.stream(
        model="demo/echo", messages=MESSAGES, stream_options={"include_usage": True}
    ) as events:
        final = events.get_final_completion()
    assert final.choices[0].message.content == SAY
    assert final.usage.completion_tokens > 0


@check
def tools():
    answer = client.chat.completions.create(
        model="demo/echo", messages=MESSAGES, tools=[WEATHER], tool_choice="required"
    )
    assert answer.choices[0].message.tool_calls[0].function.name == "get_weather"


@check
def errors():
    failure = raised(
        openai.RateLimitError,
        client.chat.completions.create,
        model="demo/echo:status=429",
        messages=MESSAGES,
    )
    assert failure.status_code == 429
    raised(openai.AuthenticationError, client.with_options(api_key="cg-nobody").models.list)


@check
def structured():
    answer = client.chat.completions.parse(model="demo/echo", messages=MESSAGES, response_format=Fox)
    assert isinstance(answer.choices[0].message.parsed, Fox)


@check
def responses():
    assert client.responses.create(model="demo/echo", input=SAY).output_text == SAY
    with client.responses.stream(model="demo/echo", input=SAY) as events:
        assert events.get_final_response().output_text == SAY


@check
def embeddings():
    answer = client.embeddings.create(model="demo/echo", input=["red fox", "blue whale"])
    assert len(answer.data) == 2


@check
def models():
    assert "demo/echo" in {model.id for model in client.models.list()}
