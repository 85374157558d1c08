import asyncio

import openai
from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from checks import KEY, SAY, URL, check, raised
from pydantic import BaseModel

set_tracing_disabled(True)


class Fox(BaseModel):
    name: str
    legs: int


@function_tool
def get_weather(city: str) -> str:
    """What the weather is."""
    return f"sunny in {city}"


def agents(name="demo/echo", **more):
    """New ones for each run: their clients belong to its event loop."""
    client = openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
    for model in (OpenAIChatCompletionsModel(name, client), OpenAIResponsesModel(name, client)):
        yield Agent(name="fox", model=model, **more)


@check
def whole():
    for agent in agents():
        assert Runner.run_sync(agent, SAY).final_output == SAY


@check
def streaming():
    async def said(agent):
        running = Runner.run_streamed(agent, SAY)
        events = [event async for event in running.stream_events()]
        deltas = [event for event in events if event.type == "raw_response_event"]
        assert len(deltas) > 3
        return running.final_output

    for number in range(2):
        assert asyncio.run(said(list(agents())[number])) == SAY


@check
def tools():
    for agent in agents(tools=[get_weather]):
        kinds = [item.type for item in Runner.run_sync(agent, "Please call get_weather").new_items]
        assert kinds == ["tool_call_item", "tool_call_output_item", "message_output_item"], kinds


@check
def errors():
    for agent in agents("demo/echo:status=429"):
        raised(openai.RateLimitError, Runner.run_sync, agent, SAY)


@check
def structured():
    for agent in agents(output_type=Fox):
        assert isinstance(Runner.run_sync(agent, SAY).final_output, Fox)
