"""What is said in the made-up month: a question, an answer, in several languages."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from gateway.demo.prose import prose

Exchange = tuple[str, str]

TOPICS: dict[str, tuple[str, tuple[Exchange, ...]]] = {
    "support": (
        "You are the support assistant of an online shop. Be brief and kind.",
        (
            ("Where is my order {n}?", "Order {n} left our warehouse yesterday and arrives tomorrow."),
            ("Can I change the address of order {n}?", "Yes, until it is packed. I have noted the new address."),
            (
                "Wie kann ich Bestellung {n} zurückgeben?",
                "Drucken Sie das Etikett aus und bringen Sie das Paket zur Post.",
            ),
            ("¿Puedo pagar el pedido {n} a plazos?", "Sí, en tres pagos sin intereses al finalizar la compra."),
            ("注文{n}の領収書を送ってください。", "領収書をメールでお送りしました。ご確認ください。"),
            ("Le colis {n} est arrivé abîmé.", "Je suis désolé. Un nouveau colis part aujourd'hui, sans frais."),
            ("لم يصل الطلب {n} بعد.", "نعتذر عن التأخير، سيصل طلبك غدًا."),
        ),
    ),
    "ticket": (
        "Classify the ticket: billing, bug, question or praise. Answer with JSON.",
        (
            ("Ticket {n}: I was charged twice this month.", '{"category": "billing", "urgent": true}'),
            ("Ticket {n}: the export button does nothing in Firefox.", '{"category": "bug", "urgent": false}'),
            ("Ticket {n}: love the new dashboard!", '{"category": "praise", "urgent": false}'),
        ),
    ),
    "summary": (
        "Summarise the text in three points.",
        (
            (
                "Minutes of meeting {n}: the launch moves by a week because the audit is late.",
                "1. Launch a week later\n2. The audit is the cause\n3. Nothing else changes",
            ),
            (
                "Report {n}: revenue grew by 14 %, churn fell, two large customers renewed.",
                "1. Revenue +14 %\n2. Less churn\n3. Two renewals",
            ),
        ),
    ),
    "code": (
        "You review pull requests. Point at lines, propose changes.",
        (
            (
                "PR {n}: adds a retry around the payment call.",
                "Line 42 retries without an idempotency key: a customer could be charged twice.",
            ),
            ("PR {n}: replaces the cache with a dict.", "The dict never forgets. Bound it, or keep the LRU cache."),
        ),
    ),
    "search": (
        "",
        (("refund policy for order {n}", ""), ("報告書 {n} の要約", ""), ("how to rotate the api key {n}", "")),
    ),
    "translate": (
        "Translate into English.",
        (
            ("Die Lieferung {n} verzögert sich um zwei Tage.", "Delivery {n} is delayed by two days."),
            ("会議{n}は来週の火曜日に延期されました。", "Meeting {n} has been moved to next Tuesday."),
            ("O relatório {n} está pronto.", "Report {n} is ready."),
            ("Собрание {n} перенесено на вторник.", "Meeting {n} was moved to Tuesday."),
        ),
    ),
    "research": (
        "You research markets and cite sources.",
        (("Compare the three largest vendors for case {n}.", "Vendor A leads on price, B on coverage, C on support."),),
    ),
    "invoice": (
        "Extract number, date and total as JSON.",
        (("Invoice {n}, 3 March, total 1,204.50 EUR", '{"number": "{n}", "date": "03-03", "total": 1204.50}'),),
    ),
}

TOOL = "lookup_order"
_encode = msgspec.json.encode


class Said(msgspec.Struct):
    """One exchange, as text and as the bodies of an OpenAI call."""

    question: str
    answer: str
    request: bytes
    response: bytes


def exchange(rng: random.Random, topic: str, model: str, turns: int, *, stream: bool, tool: bool, number: int) -> Said:
    system, exchanges = TOPICS[topic]
    said = [rng.choice(exchanges) for _ in range(turns)]
    filled = [(ask.replace("{n}", str(number)), answer.replace("{n}", str(number))) for ask, answer in said]
    question, answer = filled[-1]
    if topic == "search":
        vector = {"object": "embedding", "index": 0, "embedding": "AACAPwAAAEA="}
        response = _encode({"object": "list", "model": model, "data": [vector]})
        return Said(question, "", _encode({"model": model, "input": question}), response)
    if topic in ("research", "code") and not tool:
        answer = f"{answer}\n\n{prose(rng, words=60)}"
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
    for ask, reply in filled[:-1]:
        messages += ({"role": "user", "content": ask}, {"role": "assistant", "content": reply})
    messages.append({"role": "user", "content": question})
    request: dict[str, Any] = {"model": model, "messages": messages}
    if stream:
        request["stream"] = True
    message: dict[str, Any] = {"role": "assistant", "content": answer}
    if tool:
        function = {"name": TOOL, "arguments": f'{{"order": {number}}}'}
        called = {"id": f"call_{number}", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [called]}
        answer = ""
    finish = "tool_calls" if tool else "stop"
    return Said(question, answer, _encode(request), (_events if stream else _whole)(model, message, finish))


def _whole(model: str, message: dict[str, Any], finish: str) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return _encode({"object": "chat.completion", "model": model, "choices": [choice]})


def _events(model: str, message: dict[str, Any], finish: str) -> bytes:
    """A short event stream: the answer in a few pieces, as it would be kept."""
    text = message["content"]
    deltas: list[dict[str, Any]] = [message]
    if text is not None:
        size = max(1, len(text) // 4)
        deltas = [{"role": "assistant", "content": ""}]
        deltas += [{"content": text[at : at + size]} for at in range(0, len(text), size)]
    chunks: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    chunks.append({"index": 0, "delta": {}, "finish_reason": finish})
    lines = [
        b"data: " + _encode({"object": "chat.completion.chunk", "model": model, "choices": [each]}) for each in chunks
    ]
    return b"\n\n".join([*lines, b"data: [DONE]", b""])
