"""The annex: a process beside the workers that answers questions about the log, so that no call waits for a page.

One thread of Python does one thing at a time: while a page is made of what the store said, the loop that carries calls
would stand still, and a thread of its own would only take turns with it (docs/decisions/0131-the-annex.md).

Nouns: a *question* is a GET that a worker has admitted, with who asks; *places* are the paths it may be about; *facts*
are what only the worker knows and a page shows. `way` is the worker's side, `__main__` the annex itself, `wire` what
passes between them, `supervisor` keeps it running. A worker without an annex answers everything itself.
"""
