import anthropic
import openai
from checks import KEY, SAY, URL, check, raised
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel


def chat_openai(model="demo/echo", **more):
    return ChatOpenAI(model=model, base_url=f"{URL}/v1", api_key=KEY, max_retries=0, **more)


def chat_anthropic(model="demo/echo"):
    return ChatAnthropic(model=model, base_url=URL, api_key=KEY, max_retries=0)


class Fox(BaseModel):
    """A fox."""

    name: str
    legs: int


@tool
def get_weather(city: str) -> str:
    """What the weather is."""
    return f"sunny in {city}"


@check
def whole():
    for model in (chat_openai(), chat_openai(use_responses_api=True), chat_anthropic()):
        answer = model.invoke(SAY)
        assert answer.text == SAY
        assert answer.usage_metadata["output_tokens"] > 0


@check
def streaming():
    for model in (chat_openai(), chat_openai(use_responses_api=True), chat_anthropic()):
        assert "".join(chunk.text for chunk in model.stream(SAY)) == SAY


@check
def tools():
    for model in (chat_openai(), chat_anthropic()):
        answer = model.bind_tools([get_weather], tool_choice="any").invoke(SAY)
        assert answer.tool_calls[0]["name"] == "get_weather"


@check
def errors():
    raised(openai.RateLimitError, chat_openai("demo/echo:status=429").invoke, SAY)
    raised(anthropic.RateLimitError, chat_anthropic("demo/echo:status=429").invoke, SAY)


@check
def structured():
    for model in (chat_openai(), chat_anthropic()):
        assert isinstance(model.with_structured_output(Fox).invoke(SAY), Fox)


@check
def agent():
    for model in (chat_openai(), chat_anthropic()):
        agent = create_agent(model, tools=[get_weather])
        said = agent.invoke({"messages": [{"role": "user", "content": "Please call get_weather"}]})
        assert [message.type for message in said["messages"]] == ["human", "ai", "tool", "ai"]


@check
def embeddings():
    model = OpenAIEmbeddings(model="demo/echo", base_url=f"{URL}/v1", api_key=KEY, check_embedding_ctx_length=False)
    assert len(model.embed_documents(["red fox", "blue whale"])) == 2
