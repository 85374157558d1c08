"""The configuration: its shape here, read and checked in `load`. The only module that looks at the environment."""
