"""`perdure summary`: what a period brought, by account, class, day or currency."""
