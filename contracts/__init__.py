"""What crosses a process: messages, workflow ids, queues, search attributes, retry policies, metadata keys."""
