"""Where spans live: `base` is the contract, one package per database, `open_store` picks by URL.

Nouns: a `Batch` is written in one transaction together with the journal positions it reaches; a `SpanFilter` says
which spans; rollups answer totals; dictionaries answer filter menus.
"""
