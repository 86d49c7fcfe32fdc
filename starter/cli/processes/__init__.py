"""The long-running commands: `perdure up`, `demo`, `worker`, `webhook`."""
