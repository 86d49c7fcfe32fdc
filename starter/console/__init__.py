"""The console: pages for people, rendered on the server, that read Postgres by a role that can only read.

docs/run/console.md describes it for users, docs/architecture.md how to add a page, docs/threat-model.md the attacks.
"""
