"""What `demo/lorem` says: paragraphs that read like an answer, the same for the same prompt."""

from __future__ import annotations

import random

OPENINGS = (
    "Here is how I would think about it.",
    "The short answer is that it depends on what you measure, but there is a good default.",
    "There are a few things worth separating here.",
    "Let me start from what is known and work towards what is not.",
)
SENTENCES = (
    "Begin with the smallest version that somebody can use, and let real traffic decide what comes next.",
    "Most of the cost sits in a few places, so it pays to look before changing anything.",
    "A queue hides a problem until it is full; backpressure shows it while it can still be mended.",
    "Write down what must always be true, and make a test fail when it is not.",
    "The median tells you how it feels on a good day, the ninety-ninth percentile how it feels to your best customers.",
    "Caching helps when the same question comes back, and hurts when the answer may have changed.",
    "Retries are only safe when the work can be done twice without being counted twice.",
    "Names are the cheapest documentation, because they are read every time.",
    "It is easier to add a field later than to take one away.",
    "If two numbers are meant to agree, compare them every night and say so when they do not.",
    "Measure the whole path once, then each part of it, and see whether the sum comes out.",
    "A timeout is a decision about what to do when nothing is known.",
    "Small batches keep the delay low, large ones keep the throughput high; the right size follows the load.",
    "The first version should be easy to throw away, and the second hard to break.",
    "When a limit is reached, say which one, how far it was passed, and when to come back.",
    "What nobody looks at will be wrong before long.",
    "Prefer a plain table to a clever chart when somebody has to act on the figures.",
    "Failures that are attributed are half repaired.",
    "Keep the fast path short enough to read in one sitting.",
    "Ask for less, and it will arrive sooner.",
)
PER_PARAGRAPH = 4


def prose(rng: random.Random, *, words: int) -> str:
    """At least so many words, in paragraphs."""
    said = [rng.choice(OPENINGS)]
    length = len(said[0].split())
    deck: list[str] = []
    while length < words:
        if not deck:
            deck = rng.sample(SENTENCES, len(SENTENCES))
        said.append(deck.pop())
        length += len(said[-1].split())
    paragraphs = [said[at : at + PER_PARAGRAPH] for at in range(0, len(said), PER_PARAGRAPH)]
    return "\n\n".join(" ".join(sentences) for sentences in paragraphs)
