import asyncio

from anthropic import AsyncAnthropic
from checks import KEY, SAY, URL, check, raised
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider


def models(name="demo/echo"):
    """New ones for each run: their clients belong to its event loop."""
    openai = OpenAIProvider(openai_client=AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0))
    anthropic = AnthropicProvider(anthropic_client=AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0))
    return (
        OpenAIChatModel(name, provider=openai),
        OpenAIResponsesModel(name, provider=openai),
        AnthropicModel(name, provider=anthropic),
    )


class Fox(BaseModel):
    name: str
    legs: int


def get_weather(city: str) -> str:
    """What the weather is."""
    return f"sunny in {city}"


@check
def whole():
    for model in models():
        answer = Agent(model).run_sync(SAY)
        assert answer.output == SAY


@check
def streaming():
    async def said(model):
        async with Agent(model).run_stream(SAY) as answer:
            return [text async for text in answer.stream_text()][-1]

    for number in range(3):
        assert asyncio.run(said(models()[number])) == SAY


@check
def tools():
    for number in range(3):
        answer = Agent(models()[number], tools=[get_weather]).run_sync("Please call get_weather")
        parts = [part.part_kind for message in answer.all_messages() for part in message.parts]
        assert parts == ["user-prompt", "tool-call", "tool-return", "text"], parts


@check
def errors():
    for number in range(3):
        agent = Agent(models("demo/echo:status=429")[number])
        assert raised(ModelHTTPError, agent.run_sync, SAY).status_code == 429


@check
def structured():
    for number in range(3):
        assert isinstance(Agent(models()[number], output_type=Fox).run_sync(SAY).output, Fox)
