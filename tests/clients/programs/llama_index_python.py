import openai
from checks import KEY, SAY, URL, check, raised
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike


def like(model="demo/echo", key=KEY):
    return OpenAILike(
        model=model, api_base=f"{URL}/v1", api_key=key, is_chat_model=True, is_function_calling_model=True,
        max_retries=0,
    )  # fmt: skip


def get_weather(city: str) -> str:
    """What the weather is."""
    return f"sunny in {city}"


MESSAGES = [ChatMessage(role="user", content=SAY)]


@check
def whole():
    assert like().chat(MESSAGES).message.content == SAY
    assert like().complete(SAY).text == SAY


@check
def streaming():
    chunks = list(like().stream_chat(MESSAGES))
    assert "".join(chunk.delta or "" for chunk in chunks) == SAY


@check
def tools():
    model = like()
    tool = FunctionTool.from_defaults(get_weather)
    answer = model.chat_with_tools([tool], user_msg=SAY, tool_required=True)
    assert model.get_tool_calls_from_response(answer)[0].tool_name == "get_weather"


@check
def errors():
    raised(openai.RateLimitError, like("demo/echo:status=429").chat, MESSAGES)
    raised(openai.AuthenticationError, like(key="cg-nobody").chat, MESSAGES)
