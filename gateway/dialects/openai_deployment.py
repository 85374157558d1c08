"""Azure names the model in the path: `/openai/deployments/{deployment}/chat/completions`.

https://learn.microsoft.com/azure/ai-services/openai/reference
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_DEPLOYMENT = re.compile(rb"(/deployments/)([^/]+)(?=/)")


class InDeployment:
    """For dialects that Azure also serves under a deployment."""

    def model_in(self, path: bytes) -> str | None:
        found = _DEPLOYMENT.search(path)
        return unquote(found[2].decode("latin-1")) if found else None

    def with_model(self, path: bytes, model: str) -> bytes:
        return _DEPLOYMENT.sub(lambda found: found[1] + quote(model, safe="").encode("ascii"), path, count=1)
