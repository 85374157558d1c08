"""Reloading the configuration while the gateway runs: on SIGHUP, and when the file or one with a sealing key changes.

A reload is all or nothing: a configuration that does not hold together is refused with its problems in the log, and
the old one stays in force.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from pathlib import Path

from gateway.config import Loaded, file_to_watch, load, restart_needed
from gateway.errors import ConfigError
from gateway.store.sealing import sealing_keys

logger = logging.getLogger("callgate.config")

Stamp = tuple[int, int, int] | None
"""Modification time (ns), inode and size; None where there is no file."""


class Watcher:
    """Calls `changed` with each new configuration. Must be used from within the event loop it is started in."""

    def __init__(self, loaded: Loaded, changed: Callable[[Loaded], None], *, interval_s: float = 0.5) -> None:
        self.loaded = loaded
        """The configuration in force."""
        self.refused: ConfigError | None = None
        """Why the last reload was refused; None when it was not."""
        self._changed = changed
        self._interval_s = interval_s
        self._file = file_to_watch(loaded)
        self._taken = self._seen = self._stamps()
        self._task: asyncio.Task[None] | None = None

    def start(self, *, on_sighup: bool = True) -> None:
        """`on_sighup` only in the main thread, where alone signals can be handled."""
        loop = asyncio.get_running_loop()
        if on_sighup:
            loop.add_signal_handler(signal.SIGHUP, self.reload)
        self._task = loop.create_task(self._poll(), name="callgate-config-watcher")

    async def stop(self) -> None:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            self.look()

    def look(self) -> None:
        """Reloads when the file is not the one that was read and has held still since the last look.

        The second look matters: half a file can be valid YAML. A file that is gone changes nothing until it is back.
        """
        stamps = self._stamps()
        if stamps[self._file] is not None and stamps != self._taken and stamps == self._seen:
            self.reload()
        self._seen = stamps

    def reload(self) -> None:
        """Reads everything again, now."""
        self._taken = self._stamps()
        try:
            loaded = load(self.loaded.source if self.loaded.path else None, self.loaded.overrides)
            sealing_keys(loaded.settings.privacy.encryption)
        except ConfigError as error:
            self.refused = error
            logger.error("configuration refused, the old one stays in force:\n%s", error)
            return
        self.refused = None
        for name in restart_needed(self.loaded.settings, loaded.settings):
            logger.warning("%s: %s changed and takes effect at the next start", loaded.source, name)
        for warning in loaded.warnings:
            logger.warning("%s: %s", loaded.source, warning)
        try:
            self._changed(loaded)
        except Exception:  # whatever it is, the watching goes on
            logger.exception("the configuration of %s could not be put into force", loaded.source)
            return
        self.loaded = loaded
        self._taken = self._stamps() | {path: stamp for path, stamp in self._taken.items() if path in self._files()}
        logger.info("configuration reloaded from %s", loaded.source)

    def _files(self) -> list[Path]:
        """The configuration's, and those with the keys it names."""
        return [self._file, *self.loaded.settings.privacy.encryption.files]

    def _stamps(self) -> dict[Path, Stamp]:
        return {path: _stamp(path) for path in self._files()}


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
