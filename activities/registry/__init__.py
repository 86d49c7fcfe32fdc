"""The activities that each queue serves. A process imports only the module of its queue."""
