"""A local Stripe: a stateful server for the unmodified `stripe` SDK. See docs/stripe-emulator.md."""

from stripe_emulator.config import API_VERSION, EmulatorConfig, RateLimits
from stripe_emulator.engine.store import StoreBusyError
from stripe_emulator.server import StripeEmulator

__all__ = ["API_VERSION", "EmulatorConfig", "RateLimits", "StoreBusyError", "StripeEmulator"]
