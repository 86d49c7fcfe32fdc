"""`python -m stripe_emulator`: run the emulator as a separate process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from decimal import Decimal
from pathlib import Path

from stripe_emulator.admin.orders import percent
from stripe_emulator.config import API_VERSION, EmulatorConfig, RateLimits
from stripe_emulator.engine.store import StoreBusyError
from stripe_emulator.params.versions import VERSIONS
from stripe_emulator.server import StripeEmulator


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stripe_emulator", description="A local Stripe for the unmodified Stripe SDK."
    )
    parser.add_argument("--port", type=int, default=0, help="port, by default a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port-file", type=Path, help="write the port to this file when the emulator listens")
    parser.add_argument("--data", type=Path, help="file for the state; without it the state is lost at exit")
    parser.add_argument("--request-log", type=Path, help="append each API request to this file as a JSON line")
    parser.add_argument("--api-key", help="the only valid key; default: every sk_test_... and rk_test_...")
    parser.add_argument("--search-lag", type=float, default=0.5, help="seconds until search sees a write")
    parser.add_argument("--rate-limits", choices=("off", "live", "sandbox"), default="off")
    parser.add_argument(
        "--webhook-retry-base", type=float, default=1.0, help="first pause in seconds; doubles up to 1 h"
    )
    parser.add_argument("--webhook-timeout", type=float, default=10.0, help="timeout of a delivery in seconds")
    parser.add_argument("--webhook-concurrency", type=int, default=16, help="concurrent deliveries")
    parser.add_argument(
        "--subscription-invoices", action="store_true", help="create invoices for subscriptions, as Stripe does"
    )
    parser.add_argument(
        "--unpaid-after-attempts", type=_attempts, help="cancel a subscription after this many failed payments"
    )
    parser.add_argument(
        "--customers-have-cards", action="store_true", help="give new customers a card that pays, unless they have one"
    )
    parser.add_argument("--tax-percent", type=percent, default=Decimal(0), help="tax on invoices with automatic tax")
    parser.add_argument(
        "--api-version", choices=VERSIONS, default=API_VERSION, metavar="VERSION", help="the account's API version"
    )
    return parser


def _attempts(text: str) -> int:
    attempts = int(text)
    if attempts < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return attempts


def _config(args: argparse.Namespace) -> EmulatorConfig:
    return EmulatorConfig(
        data=args.data,
        request_log=args.request_log,
        api_key=args.api_key,
        host=args.host,
        port=args.port,
        search_lag=args.search_lag,
        rate_limits=RateLimits.named(args.rate_limits),
        webhook_retry_base=args.webhook_retry_base,
        webhook_timeout=args.webhook_timeout,
        webhook_concurrency=args.webhook_concurrency,
        subscription_invoices=args.subscription_invoices,
        unpaid_after_attempts=args.unpaid_after_attempts,
        tax_percent=args.tax_percent,
        api_version=args.api_version,
        customers_have_cards=args.customers_have_cards,
    )


async def _serve(config: EmulatorConfig, port_file: Path | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with StripeEmulator(config).serve() as url:
        logging.getLogger(__name__).info("Stripe emulator at %s", url)
        if port_file is not None:
            _write_whole(port_file, url.rsplit(":", 1)[1])
        await stop.wait()


def _write_whole(path: Path, text: str) -> None:
    """Write the file atomically: a reader sees all of the text or no file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)


def main() -> int:
    """Run until SIGTERM or SIGINT. Returns the exit status."""
    args = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_serve(_config(args), args.port_file))
    except (StoreBusyError, OSError) as error:
        sys.stderr.write(f"stripe emulator: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
