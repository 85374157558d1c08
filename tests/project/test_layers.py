"""The rules of the architecture that a reader can rely on, read from the source: imports run downward only, SQL is
in the store, the environment in `gateway.config`, and nothing is imported inside a function."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LAYERS = [
    {"pricing"},
    {"gateway", "gateway.core", "gateway.errors", "gateway.settings"},
    {"gateway.dialects", "gateway.demo", "gateway.translation"},
    {"gateway.journal", "gateway.store"},
    {"gateway.proxy", "gateway.recorder"},
    {"gateway.control"},
    {"gateway.api", "gateway.dashboard", "gateway.parquet"},
    {"gateway.config", "gateway.watch"},
    {
        "gateway.annex",
        "gateway.app",
        "gateway.banner",
        "gateway.cli",
        "gateway.site",
        "gateway.worker",
        "gateway.workers",
    },
]
"""From the lowest up. A module may import its own layer's and those below."""

APART = [
    ("gateway.proxy", "gateway.store", "the data plane does not know that there is a store"),
    ("gateway.proxy", "gateway.recorder", "the data plane and the recorder meet in the journal"),
    ("gateway.recorder", "gateway.proxy", "the data plane and the recorder meet in the journal"),
    ("gateway.recorder", "gateway.store.sqlite", "the recorder knows the contract of a store only"),
    ("gateway.api", "gateway.store.sqlite", "the API knows the contract of a store only"),
    ("gateway.dashboard", "gateway.store.sqlite", "the dashboard knows the contract of a store only"),
    ("gateway.control", "gateway.store.sqlite", "control knows the contract of a store only"),
    ("gateway.api", "gateway.dashboard", "the API is not made of pages"),
]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {
    module_name(path): path
    for package in ("gateway", "pricing")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "versions" not in path.parts  # migrations
}
EACH_SOURCE = pytest.mark.parametrize("module", SOURCES)


def parsed(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_text("utf-8"))


def layer(module: str) -> int:
    for prefix in (module, *(".".join(module.split(".")[:n]) for n in (2, 1))):
        for level, names in enumerate(LAYERS):
            if prefix in names:
                return level
    raise AssertionError(f"{module} is in no layer")


def imports(module: str) -> Iterator[tuple[str, bool]]:
    """Each module of the project it imports, and whether only for type checking."""
    tree = parsed(module)
    for node in ast.walk(tree):
        checking = _is_under_type_checking(tree, node)
        if isinstance(node, ast.Import):
            yield from ((alias.name, checking) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield (below if below in SOURCES else node.module or "", checking)


def _is_under_type_checking(tree: ast.Module, node: ast.AST) -> bool:
    blocks = (b for b in tree.body if isinstance(b, ast.If) and ast.unparse(b.test) == "TYPE_CHECKING")
    return any(node in ast.walk(block) for block in blocks)


@EACH_SOURCE
def test_imports_run_downward(module):
    upward = {
        name
        for name, only_checking in imports(module)
        if name.split(".")[0] in ("gateway", "pricing") and layer(name) > layer(module) and not only_checking
    }
    assert not upward, f"{module} imports upward"


@pytest.mark.parametrize(("above", "below", "why"), APART)
def test_what_is_kept_apart(above, below, why):
    crossing = {
        (module, name)
        for module in SOURCES
        if module == above or module.startswith(f"{above}.")
        for name, only_checking in imports(module)
        if (name == below or name.startswith(f"{below}.")) and not (only_checking or name.endswith(".base"))
    }
    assert not crossing, why


@EACH_SOURCE
def test_the_environment_is_read_in_config_only(module):
    reads = [
        node.attr
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and ast.unparse(node.value) == "os"
    ]
    assert module == "gateway.config" or not reads, "take it from gateway.config"


SQL = re.compile(
    r"^\s*(SELECT\s.+\sFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+TABLE)\s", re.S
)


@EACH_SOURCE
def test_sql_is_in_the_store_only(module):
    texts = [node.value for node in ast.walk(parsed(module)) if isinstance(node, ast.Constant)]
    statements = [text for text in texts if isinstance(text, str) and SQL.match(text)]
    assert module.startswith("gateway.store") or not statements


@EACH_SOURCE
def test_nothing_is_imported_inside_a_function(module):
    functions = (n for n in ast.walk(parsed(module)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)))
    inside = [
        f"line {node.lineno}"
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert not inside


LATE = {
    "gateway.cli.lazy": "a command imports its own module",
    "gateway.cli.price_check": "genai-prices is not installed with the gateway",
    "gateway.control.counters.across": "redis, where counters are shared across machines",
    "gateway.control.oidc": "authlib and httpx, for the first sign-in by OpenID Connect",
    "gateway.control.passwords": "argon2, for the first password",
    "gateway.proxy.signing": "botocore or PyJWT, for a provider with credentials of AWS or Google",
    "gateway.core.sealing": "cryptography, where bodies are sealed",
    "gateway.recorder.redaction_presidio": "presidio, where it is configured",
    "gateway.store": "the store that the configuration names",
    "gateway.translation.engine": "the bridge, for the first call that is translated",
    "gateway.translation.bridge.library": "litellm, for the bridge",
}
"""Who may use `importlib.import_module`, which hides an import from everything above, and what for
(docs/decisions/0006-lazy-commands.md)."""


@EACH_SOURCE
def test_late_imports_are_listed(module):
    assert module in LATE or "import_module(" not in SOURCES[module].read_text("utf-8")


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "manager", "misc"])
def test_modules_are_named_with_the_nouns_of_the_field(name):
    assert not [module for module in SOURCES if re.search(rf"(^|[._]){name}($|[._])", module)]


HEAVY = ("litellm", "sqlalchemy", "sqlmodel", "alembic", "pydantic", "httpx", "pyarrow", "openai", "aiohttp")
"""Tens of megabytes and seconds: for commands, migrations and translated providers, never for the gateway process."""


@pytest.mark.parametrize("module", ["gateway.app", "gateway.cli", "gateway.config", "gateway.recorder", "pricing"])
def test_the_gateway_imports_nothing_heavy(module):
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & set(HEAVY)


IMPORT_ALL = """
import sys, threading
from importlib import import_module

EVENTS = ("socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "os.remove", "os.rename", "os.system")

def watch(event, args):
    if event == "open":
        path, mode = str(args[0]), args[1]
        if isinstance(mode, str) and set(mode) & set("wax+") and "__pycache__" not in path:
            print(importing, "writes", path)
    elif event in EVENTS and "__pycache__" not in str(args[0]):
        print(importing, event, args[0])

importing = None
sys.addaudithook(watch)
for importing in sys.argv[1:]:
    import_module(importing)
    if threading.active_count() != 1:
        print(importing, "starts a thread")
"""


def test_importing_has_no_effect_outside(tmp_path):
    """No file written, no socket, no process, no thread, no output."""
    apart = ("gateway.store.migrations", "gateway.translation.bridge")  # run by alembic; litellm's own effects
    modules = [m for m in SOURCES if not m.endswith("__main__") and not m.startswith(apart)]
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALL, *modules], capture_output=True, text=True, cwd=tmp_path
    )
    assert (run.stdout, run.stderr) == ("", "")
