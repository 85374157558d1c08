"""Small shapes that several pages share: the tile of a provider."""

from __future__ import annotations

from hashlib import blake2b

TILES = {
    "anthropic": "light-dark(#B5582F,#B5582F)",
    "openai": "light-dark(#1F2937,#475063)",
    "azure": "light-dark(#0F5FA8,#2C72B5)",
    "gemini": "light-dark(#2B6BD6,#3B74D0)",
    "google": "light-dark(#2B6BD6,#3B74D0)",
    "vertex": "light-dark(#2B6BD6,#3B74D0)",
    "mistral": "light-dark(#8A5A00,#8F6414)",
    "groq": "light-dark(#A33A1C,#B0482A)",
    "openrouter": "light-dark(#4B4FB8,#6669C4)",
    "deepseek": "light-dark(#3A50C8,#5568D0)",
    "cohere": "light-dark(#2E6B4F,#3D7A5E)",
    "bedrock": "light-dark(#7A5B10,#86671E)",
    "xai": "light-dark(#30343B,#555B66)",
    "demo": "light-dark(#646B78,#5F6774)",
}
SPARE = ("light-dark(#0B6A72,#1F7A82)", "light-dark(#8A2F5F,#96436F)", "light-dark(#5A4B9A,#6E60AA)")


def provider_tile(provider: str | None) -> tuple[str, str]:
    """(letter, colour): no logos. An unknown provider gets one of three colours by its name."""
    if not provider:
        return "?", "var(--text-3)"
    spare = SPARE[blake2b(provider.encode(), digest_size=1).digest()[0] % len(SPARE)]
    return provider[0].upper(), TILES.get(provider, spare)
