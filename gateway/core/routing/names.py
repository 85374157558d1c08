"""What a model's name stands for: aliases, patterns, routes.

The exact name wins over a pattern, and of patterns the one with most characters of its own. A pattern (`anthropic/*`)
has one `*`, whose part is carried over to what it stands for. Patterns look at what the client asks for only; what a
name stands for is looked up among exact names, so that a `*` for everything does not swallow the targets of a route.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from gateway.settings.routes import ModelRoute, RouteTarget


class Meaning(NamedTuple):
    name: str
    """What the way ended at: `provider/model` or a bare model's name; the route's own name where it is one."""
    route: ModelRoute | None
    """Its targets with the pattern's part filled in, and with their own aliases still to be followed."""
    path: tuple[str, ...]
    """Names gone through, what was asked for first."""


class CircleError(ValueError):
    """Names that stand for each other; `path` ends with the one that came again."""

    def __init__(self, path: tuple[str, ...]) -> None:
        super().__init__(f"goes in a circle: {' → '.join(path)}")
        self.path = path


class Names:
    """`models` of the configuration, ready to be asked."""

    def __init__(self, models: Mapping[str, str | ModelRoute]) -> None:
        self._exact = {name: value for name, value in models.items() if "*" not in name}
        patterns = [(*name.partition("*")[::2], value) for name, value in models.items() if "*" in name]
        self._patterns = sorted(patterns, key=lambda p: (-len(p[0]) - len(p[1]), -len(p[0])))

    def meaning(self, asked: str) -> Meaning:
        """Of what a client asks for. A name that is not in the configuration means itself. Raises CircleError."""
        if asked in self._exact:
            return self.followed(asked)
        for before, after, value in self._patterns:
            if len(asked) >= len(before) + len(after) and asked.startswith(before) and asked.endswith(after):
                rest = asked[len(before) : len(asked) - len(after)]
                if isinstance(value, ModelRoute):
                    return Meaning(asked, _filled(value, rest), (asked,))
                return self.followed(value.replace("*", rest, 1), (asked,))
        return Meaning(asked, None, (asked,))

    def followed(self, name: str, path: tuple[str, ...] = ()) -> Meaning:
        """Of a name within the configuration: exact names only. One that stands right behind itself means the model of
        that name (`openai/gpt-5: {targets: [openai/gpt-5, azure/gpt-5]}`)."""
        while True:
            if path and name == path[-1]:
                return Meaning(name, None, path)
            value = self._exact.get(name)
            if value is None:
                return Meaning(name, None, (*path, name))
            if name in path:
                raise CircleError((*path, name))
            path = (*path, name)
            if isinstance(value, ModelRoute):
                return Meaning(name, value, path)
            name = value


def _filled(route: ModelRoute, rest: str) -> ModelRoute:
    return msgspec.structs.replace(
        route,
        targets=[_with_rest(target, rest) for target in route.targets],
        fallbacks=[_with_rest(target, rest) for target in route.fallbacks],
    )


def _with_rest(target: RouteTarget | str, rest: str) -> RouteTarget | str:
    if isinstance(target, str):
        return target.replace("*", rest, 1)
    return msgspec.structs.replace(target, model=target.model.replace("*", rest, 1))
