import anthropic
from checks import KEY, SAY, URL, check, raised

client = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0)
ASK = {"model": "demo/echo", "max_tokens": 100, "messages": [{"role": "user", "content": SAY}]}
WEATHER = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


@check
def whole():
    answer = client.messages.create(**ASK)
    assert answer.content[0].text == SAY
    assert answer.usage.output_tokens > 0


@check
def streaming():
    with client.messages.stream(**ASK) as events:
        assert "".join(events.text_stream) == SAY
        assert events.get_final_message().stop_reason == "end_turn"


@check
def tools():
    for stream in (False, True):
        asked = {**ASK, "tools": [WEATHER], "tool_choice": {"type": "any"}}
        if stream:
            with client.messages.stream(**asked) as events:
                answer = events.get_final_message()
        else:
            answer = client.messages.create(**asked)
        assert [block.name for block in answer.content if block.type == "tool_use"] == ["get_weather"]


@check
def errors():
    for status, error in ((429, anthropic.RateLimitError), (529, anthropic.APIStatusError)):
        failure = raised(error, client.messages.create, **{**ASK, "model": f"demo/echo:status={status}"})
        assert failure.status_code == status
    raised(anthropic.AuthenticationError, lambda: client.with_options(api_key="cg-nobody").messages.create(**ASK))
    with client.messages.stream(**{**ASK, "model": "demo/lorem:error-after=3"}) as events:
        raised(anthropic.APIError, events.get_final_message)


@check
def count_tokens():
    counted = client.messages.count_tokens(model="demo/echo", messages=ASK["messages"])
    assert counted.input_tokens > 0
