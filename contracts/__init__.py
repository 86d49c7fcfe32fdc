"""Contracts between processes: messages, names and ids, queues, search attributes, retries, metadata, remedies."""
