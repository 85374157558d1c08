import instructor
import openai
from checks import KEY, SAY, URL, check, raised
from instructor.core import InstructorRetryException
from pydantic import BaseModel

client = instructor.from_openai(openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0))
MESSAGES = [{"role": "user", "content": SAY}]


class Fox(BaseModel):
    name: str
    legs: int


def ask(model="demo/echo"):
    return client.chat.completions.create(model=model, messages=MESSAGES, response_model=Fox, max_retries=0)


@check
def whole():
    json_mode = instructor.from_openai(
        openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY), mode=instructor.Mode.JSON_SCHEMA
    )
    fox = json_mode.chat.completions.create(model="demo/echo", messages=MESSAGES, response_model=Fox)
    assert isinstance(fox, Fox)


@check
def streaming():
    foxes = list(client.chat.completions.create_partial(model="demo/echo", messages=MESSAGES, response_model=Fox))
    assert Fox.model_validate(foxes[-1].model_dump())


@check
def tools():
    fox, completion = client.chat.completions.create_with_completion(
        model="demo/echo", messages=MESSAGES, response_model=Fox
    )
    assert isinstance(fox, Fox)
    assert completion.choices[0].message.tool_calls[0].function.name == "Fox"


@check
def errors():
    raised((openai.RateLimitError, InstructorRetryException), ask, "demo/echo:status=429")
