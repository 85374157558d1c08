"""Contents in Google's shape as a conversation. The wire has every field in camel case or in snake case."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.dashboard.talk import (
    SHOWN_TURNS,
    Call,
    Conversation,
    Part,
    Turn,
    decoded,
    image,
    json_part,
    listed,
    numbered,
    sound,
    structured,
    text_part,
)
from gateway.dialects.gemini_chunks import Chunks, is_array

WHO = {"user": ("user", "User"), "model": ("assistant", "Assistant"), "function": ("tool", "Tool")}


def request(body: dict[str, Any]) -> Conversation:
    found = Conversation()
    inner = body.get("generateContentRequest")
    if isinstance(inner, dict):  # of a count of tokens
        body = inner
    system = _field(body, "systemInstruction")
    if system:
        found.setting.append(Turn("system", "System", parts=_turn(system, []).parts))
    calls: list[Call] = []
    contents = body.get("contents")
    for content in contents if isinstance(contents, list) else [contents] if contents else []:
        turn = _turn(content, calls)
        if turn.parts or turn.calls:  # results alone stand beside their calls
            found.turns.append(turn)
    found.tools = [name for tool in listed(body.get("tools")) for name in _tools(tool)][:100]
    return found


def embedded(body: dict[str, Any]) -> Conversation:
    """The inputs of embeddings, one or many."""
    requests = [body, *listed(body.get("requests")), *listed(body.get("instances"))]
    contents = [each.get("content") or each.get("prompt") for each in requests if isinstance(each, dict)]
    parts = [part for content in contents if content for part in _turn(content, []).parts]
    return Conversation(turns=[Turn("user", "Input", parts=parts[:50])])


def answer(data: bytes, is_stream: bool) -> Turn | None:
    """None for what holds no candidate. Several candidates follow one another, each under its number."""
    chunks = Chunks(data).every() if is_stream or is_array(data) else (data,)
    by_candidate: dict[int, list[Any]] = {}
    for chunk in map(decoded, chunks):
        for candidate in listed(chunk.get("candidates")) if isinstance(chunk, dict) else ():
            if isinstance(candidate, dict) and isinstance(candidate.get("content"), dict):
                index = candidate.get("index")
                pieces = by_candidate.setdefault(index if isinstance(index, int) else 0, [])
                pieces += listed(candidate["content"].get("parts"))
    if not by_candidate:
        return None
    turn = Turn("assistant", "Assistant")
    for index, pieces in sorted(by_candidate.items()):
        one = _turn({"role": "model", "parts": list(_joined(pieces))}, [])
        if len(by_candidate) > 1:
            turn.parts.append(Part("note", f"Candidate {index + 1} of {len(by_candidate)}"))
        texts = [piece["text"] for piece in pieces if isinstance(piece, dict) and isinstance(piece.get("text"), str)]
        turn.parts += [structured("".join(texts))] if [part.kind for part in one.parts] == ["prose"] else one.parts
        turn.calls += one.calls
    numbered(turn.calls)
    return turn


def _joined(pieces: Iterable[Any]) -> Iterable[Any]:
    """Text that a stream cut is one piece again; thoughts and text stay apart."""
    last: dict[str, Any] | None = None
    for piece in pieces:
        is_text = isinstance(piece, dict) and isinstance(piece.get("text"), str)
        if is_text and last is not None and last.get("thought") == piece.get("thought"):
            last["text"] += piece["text"]
            continue
        if last is not None:
            yield last
        last = dict(piece) if is_text else None
        if not is_text:
            yield piece
    if last is not None:
        yield last


def _turn(content: Any, calls: list[Call]) -> Turn:
    """`calls` are those that still wait for their result: it names the function, and only sometimes the call."""
    if not isinstance(content, dict):
        return Turn("user", "User", parts=[_piece(content)])
    role, who = WHO.get(str(content.get("role") or "user"), ("user", "User"))
    turn = Turn(role, who)
    pieces = content.get("parts")
    for piece in (pieces if isinstance(pieces, list) else [pieces] if pieces else [])[:SHOWN_TURNS]:
        call = _field(piece, "functionCall")
        result = _field(piece, "functionResponse")
        if isinstance(call, dict):
            arguments = json_part(call["args"]) if call.get("args") else None
            turn.calls.append(Call(str(call.get("name") or "unnamed"), str(call.get("id") or ""), arguments))
        elif isinstance(result, dict):
            turn.parts += _result(result, calls)
        else:
            turn.parts.append(_piece(piece))
    calls += turn.calls
    numbered(turn.calls)
    return turn


def _result(result: dict[str, Any], calls: list[Call]) -> list[Part]:
    """Nothing where it was put beside its call; otherwise it stands where it is."""
    part = json_part(result.get("response"))
    wanted = str(result.get("id") or "")
    for call in calls:
        if call.name == result.get("name") and call.result is None and (not wanted or call.id in (wanted, "")):
            call.result = part
            return []
    return [part]


def _piece(piece: Any) -> Part:
    if isinstance(piece, str):
        return text_part(piece)
    if not isinstance(piece, dict):
        return json_part(piece)
    if isinstance(piece.get("text"), str):
        return text_part(piece["text"], "thought" if piece.get("thought") is True else "prose")
    media = _field(piece, "inlineData")
    if isinstance(media, dict):
        return _media(media)
    file = _field(piece, "fileData")
    if isinstance(file, dict):
        return Part("file", str(_field(file, "fileUri") or _field(file, "mimeType") or "file")[:2000])
    code, output = _field(piece, "executableCode"), _field(piece, "codeExecutionResult")
    if isinstance(code, dict):
        return text_part(str(code.get("code", "")), "plain")
    if isinstance(output, dict):
        return text_part(str(output.get("output") or output.get("outcome") or ""), "plain")
    return json_part({name: value for name, value in piece.items() if name not in ("thoughtSignature",)})


def _media(media: dict[str, Any]) -> Part:
    kind = str(_field(media, "mimeType") or "")
    if kind.startswith("image/"):
        return image(f"data:{kind};base64,{media.get('data')}")
    return sound(kind, media.get("data"), kind or "file")


def _tools(tool: Any) -> list[str]:
    """Declared functions by their names, the provider's own tools by theirs."""
    if not isinstance(tool, dict):
        return ["tool"]
    declared = listed(_field(tool, "functionDeclarations"))
    own = [name for name in tool if name not in ("functionDeclarations", "function_declarations")]
    return [str(each.get("name") or "tool") for each in declared if isinstance(each, dict)] + own


def _field(holder: Any, name: str) -> Any:
    """A field by its name in camel case, whichever way it is written."""
    if not isinstance(holder, dict):
        return None
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return holder.get(name, holder.get(snake))
