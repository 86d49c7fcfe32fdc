"""The sample's one customer in the emulator whose card is declined: all others can pay."""

from __future__ import annotations

import aiohttp

from devstack.errors import StackError

DECLINED = "team:borealis"
_CARD = "pm_card_chargeCustomerFail"


async def add_declined_customer(url: str, api_key: str, account_key: str) -> None:
    """Create the customer of `DECLINED` in the emulator at `url`, unless it has one.

    Args:
        url: the emulator's address.
        api_key: any key that it takes.
        account_key: the metadata key under which customers name their account.

    Raises:
        StackError: the emulator refused or did not answer.
    """
    async with aiohttp.ClientSession(
        f"{url}/v1/",
        headers={"Authorization": f"Bearer {api_key}"},
        timeout=aiohttp.ClientTimeout(total=10),
        raise_for_status=True,
    ) as session:
        try:
            async with session.get("customers", params={"limit": "100"}) as listed:
                found = (await listed.json())["data"]
            if any(customer["metadata"].get(account_key) == DECLINED for customer in found):
                return
            order = {f"metadata[{account_key}]": DECLINED, "invoice_settings[default_payment_method]": _CARD}
            async with session.post("customers", data=order):
                return
        except (TimeoutError, aiohttp.ClientError) as error:
            raise StackError(f"the Stripe emulator did not take the sample's customer: {error}") from error
