"""The recorder: a process of its own that turns the journal into the log.

Nouns: the *joiner* puts the two frames of a call together, the *scribe* makes the row of them (read by the dialect,
redacted, previews), the *recorder* writes rows in batches together with the journal positions they reach, and the
*supervisor*, in the gateway's process, starts the recorder and keeps it running.
"""
