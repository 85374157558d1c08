"""OpenAI's endpoints, and those that its compatible servers added: which path is read how."""

from __future__ import annotations

import re

from gateway.dialects.base import Dialect
from gateway.dialects.openai_audio import OpenAISpeech, OpenAITranscriptions
from gateway.dialects.openai_batch import OpenAIFileContent
from gateway.dialects.openai_chat import OpenAIChat
from gateway.dialects.openai_completions import OpenAICompletions
from gateway.dialects.openai_embeddings import OpenAIEmbeddings
from gateway.dialects.openai_images import OpenAIImageForms, OpenAIImages
from gateway.dialects.openai_plain import Plain, Unmetered
from gateway.dialects.openai_responses import OpenAIResponseRetrieved, OpenAIResponses
from gateway.dialects.openai_videos import OpenAIContainers, OpenAIVideos

CHAT = OpenAIChat()
RESPONSES = OpenAIResponses()
_RETRIEVED = OpenAIResponseRetrieved()
_IMAGE_FORMS = OpenAIImageForms()
_TRANSCRIPTIONS = OpenAITranscriptions()
_STORED = Unmetered("openai.stored", "stored")
_FILES = Unmetered("openai.files", "file")
_BATCHES = Unmetered("openai.batches", "batch")
_VIDEOS = OpenAIVideos()
_VIDEO_FILES = Unmetered("openai.videos.stored", "video")

ENDPOINTS: tuple[tuple[bytes, re.Pattern[bytes], Dialect], ...] = tuple(
    (method, re.compile(path), dialect)
    for method, path, dialect in (
        (b"POST", rb"/chat/completions$", CHAT),
        (b"POST", rb"/completions$", OpenAICompletions()),
        (b"POST", rb"/embeddings$", OpenAIEmbeddings()),
        (b"POST", rb"/responses$", RESPONSES),
        (b"POST", rb"/responses/compact$", RESPONSES),
        (b"POST", rb"/responses/input_tokens$", Plain("openai.input_tokens", "tokens")),
        (b"POST", rb"/responses/[^/]+/cancel$", _RETRIEVED),
        (b"GET", rb"/responses/[^/]+$", _RETRIEVED),
        (b"GET", rb"/responses/[^/]+/input_items$", _STORED),
        (b"DELETE", rb"/responses/[^/]+$", _STORED),
        (b"GET", rb"/chat/completions(?:/|$)", _STORED),
        (b"POST", rb"/images/generations$", OpenAIImages()),
        (b"POST", rb"/images/(?:edits|variations)$", _IMAGE_FORMS),
        (b"POST", rb"/audio/speech$", OpenAISpeech()),
        (b"POST", rb"/audio/(?:transcriptions|translations)$", _TRANSCRIPTIONS),
        (b"POST", rb"/moderations$", Plain("openai.moderations", "moderation")),
        (b"POST", rb"/rerank$", Plain("openai.rerank", "rerank")),
        (b"POST", rb"/ocr$", Plain("openai.ocr", "ocr")),
        (b"POST", rb"/videos(?:/[^/]+/remix)?$", _VIDEOS),
        (b"GET", rb"/videos/[^/]+$", _VIDEOS),
        (b"GET", rb"/videos(?:/[^/]+/content)?$", _VIDEO_FILES),
        (b"DELETE", rb"/videos/[^/]+$", _VIDEO_FILES),
        (b"POST", rb"/containers$", OpenAIContainers()),
        (b"GET", rb"/files/[^/]+/content$", OpenAIFileContent()),
        (b"GET", rb"/files(?:/[^/]+)?$", _FILES),
        (b"POST", rb"/files$", _FILES),
        (b"DELETE", rb"/files/[^/]+$", _FILES),
        (b"POST", rb"/batches(?:/[^/]+/cancel)?$", _BATCHES),
        (b"GET", rb"/batches(?:/[^/]+)?$", _BATCHES),
    )
)
"""(method, how the path ends, dialect); the first that matches."""
