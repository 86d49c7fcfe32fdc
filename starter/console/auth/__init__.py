"""Who uses the console, and what a request must bring: a session or an authenticating proxy's header."""
