"""The counters of limits and budgets, shared: by the workers of a machine through mapped memory (`board`), by machines
through Redis (`across`)."""
