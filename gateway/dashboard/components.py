"""Every component in every state, on one page: made with the macros that the pages use."""
