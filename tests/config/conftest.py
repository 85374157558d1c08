from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.config import Loaded, load
from gateway.errors import ConfigError

Load = Callable[..., Loaded]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads YAML text as `callgate.yaml` of an empty working folder, with the environment given and no other."""
    monkeypatch.chdir(tmp_path)

    def read(text: str | None = None, environ: Mapping[str, str] | None = None, **options: object) -> Loaded:
        if text is not None:
            (tmp_path / "callgate.yaml").write_text(text, "utf-8")
        return load(environ=environ or {}, **options)  # type: ignore[arg-type]

    return read


@pytest.fixture
def problems(read: Load) -> Callable[..., list[str]]:
    """What is wrong with a YAML text, line by line, without the file's name."""

    def problems(text: str | None, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigError) as raised:
            read(text, environ)
        return raised.value.problems

    return problems
