"""The configuration: found, read, completed and checked. The only module that looks at the environment.

Later wins: defaults, the file (with `${VAR}` filled in), `CALLGATE_<PATH>` variables, the command line. Every problem
is reported at once, as `file:path: message and the way out`. The shape is `gateway.settings`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gateway.core import document
from gateway.core.conform import conform, unknown, unpacked
from gateway.core.consistency import inconsistencies
from gateway.core.document import Document, Problem, Sourced
from gateway.core.providers import DEMO, DIALECTS, KNOWN, KnownProvider, auth_of
from gateway.core.proxies import Proxies, proxies_from
from gateway.errors import ConfigError
from gateway.recorder.rules import RULES
from gateway.settings import Settings

FILE_NAME = "callgate.yaml"
PREFIX = "CALLGATE_"
CONFIG_VARIABLE = "CALLGATE_CONFIG"

_DOUBLE_SLASH = re.compile(r"(?<!:)//+")

RESTART_SETTINGS = (
    *("server.host", "server.port", "server.workers", "server.data", "server.drain_s", "store.url"),
    *("log.journal_max_mb", "shared"),
)
"""What a reload cannot change: the socket and the files are open, and the recorder is told once, when it starts."""


@dataclass(frozen=True)
class Loaded:
    """A configuration that holds together, and where it came from."""

    settings: Settings
    """Complete: every provider has its address, dialect and header style; known ones from their row."""
    source: str
    """The file as it was named, or `defaults`."""
    path: Path | None
    """The file, absolute; None without one."""
    data: Path
    """`server.data`, absolute. Need not exist yet."""
    warnings: list[str]
    """Each a line to show; nothing that keeps the gateway from running."""
    proxies: Proxies = field(default_factory=Proxies)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """What the command line said, kept for a reload."""

    def proxy_for(self, scheme: str, host: str, port: int | None = None) -> str | None:
        """The proxy a connection goes through by the environment at load; None for a direct one."""
        return self.proxies.proxy_for(scheme, host, port)


def load(
    path: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Reads `path`, else the file in `CALLGATE_CONFIG`, else `callgate.yaml` here, else takes the defaults.

    `overrides` has the shape of the file (`{"server": {"port": 5000}}`) and wins over everything. Raises ConfigError
    with every problem found.
    """
    environ = os.environ if environ is None else environ
    overrides = overrides or {}
    source, found = _find(path, environ)
    written = _read(found, source) if found else Document({}, {}, [])
    problems = list(written.problems)
    raw = document.interpolate(written.value, environ, problems)
    warnings: list[str] = []
    settings: Settings | None = None
    if isinstance(raw, dict):
        raw = _merged(raw, _from_variables(environ, raw, warnings))
        raw = _merged(raw, overrides)
        _complete_providers(raw, environ, problems)
        mismatches: list[Problem] = []
        settings = conform(Settings, raw, mismatches)
        problems += [p for p in mismatches if not _is_about_one_of(p, problems)]
        further = [*inconsistencies(settings), *_unknown_patterns(settings)]
        problems += [p for p in further if not _is_about_one_of(p, problems)]
    elif not problems:
        problems.append(Problem((), "must be a map of settings, like `server: {port: 4000}`"))
    if problems or not settings:
        raise ConfigError(source if found else "environment", [_line(p, written.lines) for p in problems])
    proxies, proxy_warnings = proxies_from(environ)
    warnings += [*proxy_warnings, *_provider_warnings(settings)]
    data = Path(settings.server.data).expanduser().absolute()
    return Loaded(settings, source, found, data, warnings, proxies, overrides)


def restart_needed(old: Settings, new: Settings) -> list[str]:
    """The settings that differ and take a restart, as `server.port`."""
    return [name for name in RESTART_SETTINGS if _at(old, name) != _at(new, name)]


def file_to_watch(loaded: Loaded) -> Path:
    """The file a reload would read: the one that was read, or the one that would be found were it there."""
    return loaded.path or Path(FILE_NAME).absolute()


def quiet_litellm() -> None:
    """Before litellm is imported: it is to fetch no price list, no header list, and to read no `.env` file."""
    for name in ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS"):
        os.environ[name] = "True"
    os.environ["LITELLM_MODE"] = "PRODUCTION"


# ------------------------------------------------------------------------------------------------ the file


def _find(path: str | None, environ: Mapping[str, str]) -> tuple[str, Path | None]:
    named = path or environ.get(CONFIG_VARIABLE)
    if named:
        return named, Path(named).expanduser().absolute()
    here = Path(FILE_NAME)
    return (FILE_NAME, here.absolute()) if here.is_file() else ("defaults", None)


def _read(path: Path, source: str) -> Document:
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(source, [" there is no such file; callgate serve works without one"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError(source, [f" is not UTF-8 (byte {error.start})"]) from None
    except OSError as error:
        raise ConfigError(source, [f" cannot be read: {error.strerror}"]) from None
    read = document.parse(text)
    return read._replace(value={}) if read.value is None and not read.problems else read


def _unknown_patterns(settings: Settings) -> Iterator[Problem]:
    kinds = [rule.kind for rule in RULES]
    for index, name in enumerate(settings.log.redaction.skip):
        if name not in kinds:
            message = f"'{name}' {unknown('built-in pattern', name, kinds)}"
            yield Problem(("log", "redaction", "skip", index), message)


def _is_about_one_of(problem: Problem, others: list[Problem]) -> bool:
    """Whether something at the same place was reported already, which may be all that is behind this."""
    return any(other.at[: len(problem.at)] == problem.at[: len(other.at)] for other in others)


def _line(problem: Problem, lines: Mapping[document.Path, int]) -> str:
    where = document.spelled(problem.at)
    line = next((lines[problem.at[:n]] for n in range(len(problem.at), 0, -1) if problem.at[:n] in lines), None)
    return f"{where}: {problem.message}" + (f" (line {line})" if line else "")


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for name, value in over.items():
        below = out.get(name)
        out[name] = _merged(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
    return out


# ------------------------------------------------------------------------------------------------ CALLGATE_<PATH>


def _from_variables(environ: Mapping[str, str], raw: Mapping[str, Any], warnings: list[str]) -> dict[str, Any]:
    """`CALLGATE_LOG__FLUSH_INTERVAL_MS=500` as `{"log": {"flush_interval_ms": "500"}}`. Empty is not set.

    A variable without `__` that is no setting is left alone: Kubernetes sets `CALLGATE_PORT` and the like in every
    container beside a service of that name.
    """
    out: dict[str, Any] = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE or not environ[variable]:
            continue
        steps = variable[len(PREFIX) :].lower().split("__")
        if steps[0] not in Settings.__struct_fields__:
            if len(steps) > 1:
                close = get_close_matches(steps[0], Settings.__struct_fields__, n=1)
                hint = f"did you mean {PREFIX}{close[0].upper()}__…?" if close else "it is ignored"
                warnings.append(f"{variable}: there is no section {steps[0]}; {hint}")
            continue
        _put(out, _as_written(steps, raw), Sourced.make(environ[variable], variable))
    return out


def _as_written(steps: list[str], raw: Any) -> list[str]:
    """The steps with the spelling of the file (`my-vllm`, `GPT`) where that differs only in case and `-` for `_`."""
    spelling = []
    for step in steps:
        names = raw if isinstance(raw, Mapping) else {}
        name = next((n for n in names if isinstance(n, str) and n.lower().replace("-", "_") == step), step)
        spelling.append(name)
        raw = names.get(name)
    return spelling


def _put(tree: dict[str, Any], steps: list[str], value: str) -> None:
    for step in steps[:-1]:
        if not isinstance(tree.get(step), dict):
            tree[step] = {}
        tree = tree[step]
    tree[steps[-1]] = value


# ------------------------------------------------------------------------------------------------ providers


def _complete_providers(raw: dict[str, Any], environ: Mapping[str, str], problems: list[Problem]) -> None:
    """Fills in what the rows know, adds `demo` and the providers whose key is in the environment."""
    written = unpacked(raw.get("providers")) or {}
    if not isinstance(written, dict):
        return  # conform says what is wrong
    providers = {name: _completed(name, unpacked(entry), environ, problems) for name, entry in written.items()}
    for name, row in KNOWN.items():
        if name in providers or not (name == DEMO or (row.from_environment and _is_open(row, environ))):
            continue
        if not document.missing_variables(row.base_url, environ):
            providers[name] = _completed(name, {}, environ, problems)
    raw["providers"] = providers
    if not written and "default_provider" not in raw:
        raw["default_provider"] = _default_of([name for name in providers if name != DEMO])


def _default_of(names: list[str]) -> str | None:
    """With nothing configured: OpenAI when its key is there, else the only provider there is."""
    return "openai" if "openai" in names else names[0] if len(names) == 1 else None


def _completed(name: str, entry: Any, environ: Mapping[str, str], problems: list[Problem]) -> Any:
    if not isinstance(entry, (dict, type(None))):
        return entry
    given = {setting: value for setting, value in (entry or {}).items() if value is not None}
    row = KNOWN.get(name)
    out = {**(_known_of(row, given, environ, problems) if row else {}), **given}
    dialect = out.get("dialect")
    if isinstance(dialect, str) and dialect in DIALECTS:
        out.setdefault("auth", auth_of(dialect))
        out.setdefault("ask_usage", dialect == "openai")
    key = _without_empty(unpacked(out.pop("api_key", None), text_is_meant=True))
    if key or row:
        out["api_key"] = key or (_key_in(row, environ) if row else None)
    if row and not out.get("api_key") and (credentials := _credentials_in(row, environ)):
        out.setdefault("google_credentials", credentials)
    if isinstance(out.get("base_url"), str):
        out["base_url"] = out["base_url"].strip().rstrip("/")
    return out


def _without_empty(key: Any) -> Any:
    """`${VAR:-}` without the variable is no key, also within a list of keys; None where none is left."""
    if isinstance(key, list):
        return [item for item in key if item not in ("", None)] or None
    return key or None


def _known_of(
    row: KnownProvider, given: Mapping[str, Any], environ: Mapping[str, str], problems: list[Problem]
) -> dict[str, Any]:
    """The settings of its row, as far as they fit what is given."""
    out: dict[str, Any] = {"dialect": row.dialect}
    if given.get("dialect", row.dialect) == row.dialect:
        out |= {"auth": row.auth, "ask_usage": row.ask_usage}
    if row.forward_metadata:
        out["metadata"] = "forward"
    if row.region_variable and isinstance(given.get("region"), str):
        environ = {**environ, row.region_variable: given["region"]}
    if "base_url" not in given and row.name != DEMO:
        missing = document.missing_variables(row.base_url, environ)
        if missing:
            at = ("providers", row.name, "base_url")
            problems.append(Problem(at, f"is missing; set it, or {' and '.join(missing)} in the environment"))
        url = _DOUBLE_SLASH.sub("/", str(document.interpolate(row.base_url, environ, [])))
        out["base_url"] = url.replace("//global-aiplatform.", "//aiplatform.")  # the one location that is no host
    return out


def _key_in(row: KnownProvider, environ: Mapping[str, str]) -> str | None:
    variable = next((name for name in row.key_variables if environ.get(name, "").strip()), None)
    return Sourced.make(environ[variable].strip(), variable) if variable else None


def _credentials_in(row: KnownProvider, environ: Mapping[str, str]) -> str | None:
    variable = row.credentials_variable
    return Sourced.make(environ[variable].strip(), variable) if environ.get(variable, "").strip() else None


def _is_open(row: KnownProvider, environ: Mapping[str, str]) -> bool:
    """Whether the environment has what it takes to call it."""
    return bool(_key_in(row, environ) or _credentials_in(row, environ))


def _provider_warnings(settings: Settings) -> Iterator[str]:
    for name, provider in settings.providers.items():
        row = KNOWN.get(name)
        given = (provider.api_key, provider.aws_access_key_id, provider.google_credentials)
        has_key = any(value is not None for value in given)
        if not has_key and (row is None or row.key_variables):
            way_out = f"set {row.key_variables[0]} or " if row else ""
            yield f"providers.{name}: no key; {way_out}api_key (`none` if it needs none)"
        if provider.dialect == "openai" and provider.base_url and provider.base_url.count("/") == 2:
            yield f"providers.{name}.base_url: has no path; OpenAI-compatible servers mostly want …/v1"


def _at(settings: Settings, name: str) -> Any:
    value: Any = settings
    for step in name.split("."):
        value = getattr(value, step)
    return value
