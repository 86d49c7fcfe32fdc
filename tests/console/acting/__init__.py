"""Acting in the console, over HTTP, on the whole product."""
