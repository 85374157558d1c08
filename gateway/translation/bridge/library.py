"""litellm, set up to do nothing but translate: no retries, callbacks, caching, logging, telemetry of its own."""

from __future__ import annotations

import importlib
import logging
import warnings
from typing import Any

litellm: Any = importlib.import_module("litellm")
http_handler: Any = importlib.import_module("litellm.llms.custom_httpx.http_handler")
openai: Any = importlib.import_module("openai")
_adapters: Any = importlib.import_module("litellm.llms.anthropic.pass_through.adapters.transformation")
_streaming: Any = importlib.import_module("litellm.llms.anthropic.pass_through.adapters.streaming_iterator")
_calls: Any = importlib.import_module("litellm.litellm_core_utils.litellm_logging")
_images: Any = importlib.import_module("litellm.litellm_core_utils.prompt_templates.image_handling")

_as_chat: Any = importlib.import_module("litellm.responses.litellm_completion_transformation.transformation")
_as_events: Any = importlib.import_module("litellm.responses.litellm_completion_transformation.streaming_iterator")

AnthropicAdapter: Any = _adapters.AnthropicAdapter
AnthropicStreamWrapper: Any = _streaming.AnthropicStreamWrapper
ResponsesAsChat: Any = _as_chat.LiteLLMCompletionResponsesConfig
ResponsesStream: Any = _as_events.LiteLLMCompletionStreamingIterator

litellm.drop_params = True  # a parameter that the provider does not know is left out, as its own SDK has none for it
litellm.modify_params = True  # e.g. an assistant message between two tool results where a provider insists on it
litellm.num_retries = 0
litellm.cache = None
litellm.callbacks = []
litellm.success_callback = []
litellm.failure_callback = []
litellm.suppress_debug_info = True
litellm.turn_off_message_logging = True
litellm.disable_streaming_logging = True
litellm.disable_aiohttp_transport = True
litellm.add_user_information_to_llm_headers = False


async def _not_logged(*_: object, **__: object) -> None:
    """In place of what litellm does after each answer, callbacks or not: the call's cost by its own prices, a record
    of it, copies of that for redaction. With a stream that is 4 ms of the loop ahead of the client's last byte."""


def _not_logged_either(*_: object, **__: object) -> None:
    """The same, where it is called from a thread."""


for _name in (
    "dispatch_success_handlers",
    "async_success_handler",
    "dispatch_failure_handlers",
    "async_failure_handler",
):
    setattr(_calls.Logging, _name, _not_logged)
for _name in ("success_handler", "failure_handler"):
    setattr(_calls.Logging, _name, _not_logged_either)

_images.MAX_IMAGE_URL_DOWNLOAD_SIZE_MB = 0
"""An image's address comes from the client: the gateway fetches none (server-side request forgery)."""

warnings.filterwarnings("ignore", module=r"(litellm|pydantic)(\.|$)")  # about its own insides
for _name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "httpx"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # it would log bodies
