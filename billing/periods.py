"""Billing periods: calendar months in the deployment's billing time zone. Returned instants are aware, in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from billing.errors import InputError

_PERIOD = re.compile(r"([0-9]{4})-([0-9]{2})")
_MICROSECOND = timedelta(microseconds=1)


def time_zone(name: str) -> tzinfo:
    """Return the IANA time zone of this name. Lives here because a sandboxed workflow gets no usable `ZoneInfo`."""
    return ZoneInfo(name)


@dataclass(frozen=True, order=True)
class BillingPeriod:
    """A calendar month, written `YYYY-MM`."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> BillingPeriod:
        """Return the period that `text` names.

        Raises:
            InputError: `text` is not `YYYY-MM` from 1970 to 9998.
        """
        match = _PERIOD.fullmatch(text)
        if match is None or not 1970 <= int(match[1]) <= 9998:
            raise InputError(f"{text!r} is not a billing period: write YYYY-MM, for example 2022-05")
        if not 1 <= int(match[2]) <= 12:
            raise InputError(f"{text!r} is not a billing period: there is no month {match[2]}; write YYYY-MM")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def containing(cls, instant: datetime, zone: tzinfo) -> BillingPeriod:
        """Return the period with `start <= instant < end`."""
        local = instant.astimezone(zone)
        period = cls(local.year, local.month)
        # A clock set back across midnight shows the old month again after the new one has begun.
        return period.next() if instant >= period.end(zone) else period

    @classmethod
    def of_cutoff(cls, cutoff: datetime, zone: tzinfo) -> BillingPeriod:
        """Return the last period that an invoice up to `cutoff` bills.

        The cutoff itself is not billed: a cutoff at a month's first instant belongs to the month before.
        """
        return cls.containing(cutoff - _MICROSECOND, zone)

    @classmethod
    def last_ended(cls, instant: datetime, zone: tzinfo) -> BillingPeriod:
        """Return the latest period that has ended at `instant`."""
        return cls.containing(instant, zone).previous()

    def previous(self) -> BillingPeriod:
        """Return the month before."""
        return BillingPeriod(self.year - (self.month == 1), (self.month - 2) % 12 + 1)

    def next(self) -> BillingPeriod:
        """Return the month after."""
        return BillingPeriod(self.year + (self.month == 12), self.month % 12 + 1)

    def start(self, zone: tzinfo) -> datetime:
        """Return the first instant, in UTC: local midnight, or the first instant that exists after it."""
        local = datetime(self.year, self.month, 1, tzinfo=zone)
        return local.astimezone(UTC)

    def end(self, zone: tzinfo) -> datetime:
        """Return the first instant of the next period, in UTC."""
        return self.next().start(zone)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"
