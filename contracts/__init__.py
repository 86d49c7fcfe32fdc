"""What crosses a process: messages, workflow ids, queues, search attributes, retries, metadata keys, remedies."""
