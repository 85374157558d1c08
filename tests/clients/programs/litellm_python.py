import litellm
from checks import KEY, SAY, URL, check, raised

litellm.suppress_debug_info = True
OPENAI = {"model": "openai/demo/echo", "api_base": f"{URL}/v1", "api_key": KEY, "num_retries": 0, "max_retries": 0}
ANTHROPIC = {"model": "anthropic/demo/echo", "api_base": URL, "api_key": KEY, "num_retries": 0, "max_tokens": 100}
MESSAGES = [{"role": "user", "content": SAY}]
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@check
def whole():
    for ask in (OPENAI, ANTHROPIC):
        answer = litellm.completion(messages=MESSAGES, **ask)
        assert answer.choices[0].message.content == SAY
        assert answer.usage.completion_tokens > 0


@check
def streaming():
    for ask in (OPENAI, ANTHROPIC):
        chunks = list(litellm.completion(messages=MESSAGES, stream=True, **ask))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SAY


@check
def tools():
    for ask in (OPENAI, ANTHROPIC):
        answer = litellm.completion(messages=MESSAGES, tools=[WEATHER], tool_choice="required", **ask)
        assert answer.choices[0].message.tool_calls[0].function.name == "get_weather"


@check
def errors():
    for ask in (OPENAI, ANTHROPIC):
        limited = {**ask, "model": f"{ask['model']}:status=429"}
        raised(litellm.RateLimitError, litellm.completion, messages=MESSAGES, **limited)
        stranger = {**ask, "api_key": "cg-nobody"}
        raised(litellm.AuthenticationError, litellm.completion, messages=MESSAGES, **stranger)


@check
def responses():
    answer = litellm.responses(model="openai/demo/echo", input=SAY, api_base=f"{URL}/v1", api_key=KEY)
    assert answer.output_text == SAY


@check
def embeddings():
    answer = litellm.embedding(
        model="openai/demo/echo", input=["red fox"], api_base=f"{URL}/v1", api_key=KEY, encoding_format="float"
    )
    assert len(answer.data) == 1
