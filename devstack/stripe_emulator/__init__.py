"""A Stripe that runs here: a stateful server for the unmodified `stripe` SDK. See docs/stripe-emulator.md."""

from .config import API_VERSION, EmulatorConfig, RateLimits
from .server import StripeEmulator
from .store import StoreBusyError

__all__ = ["API_VERSION", "EmulatorConfig", "RateLimits", "StoreBusyError", "StripeEmulator"]
