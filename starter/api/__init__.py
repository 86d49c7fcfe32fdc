"""The API: takes events and rows of usage over HTTP, in a process of its own."""
