"""The templates' environment: filters that turn values into text, and the macros' helpers."""
