"""Secrets planted in a run, which must be found nowhere except in their own place."""

from __future__ import annotations

import base64
import os
import secrets


def _name(kind: str) -> str:
    return f"canary{kind}{secrets.token_hex(6)}"


class Canaries:
    """Secrets and personal data by kind. Each is unique and can be found by a text search."""

    def __init__(self) -> None:
        self.secrets = {
            "stripe_api_key": f"sk_test_{_name('key')}",
            "refused_api_key": f"sk_test_{_name('badkey')}",
            "old_signing_secret": f"whsec_{_name('signing')}",
            "billing_password": _name("billingpw"),
            "operator_password": _name("operatorpw"),
            "ingest_password": _name("ingestpw"),
            "api_password": _name("apipw"),
            "wrong_token": _name("token"),
            "wrong_password": _name("wrongpw"),
            # As written by a person who does not know that a URL needs it quoted.
            "slash_password": f"4711/{_name('slashpw')}",
            "hash_password": f"{_name('hashpw')}#4711",
            "payload_key": base64.b64encode(os.urandom(32)).decode(),
            "report_store_key": _name("awskey"),
            "report_store_secret": _name("awssecret"),
        }
        self.personal = {
            "owner_id": _name("owner"),
            "bad_owner_id": _name("badowner"),
            "customer_name": f"Canary {_name('name')}",
            "customer_email": f"{_name('mail')}@example.com",
            "customer_note": _name("note"),
            "event_email": f"{_name('event')}@example.com",
            "imported_name": f"Canary {_name('imported')}",
            "imported_email": f"{_name('importedmail')}@example.com",
            "imported_street": _name("street"),
            "refused_tax_id": _name("taxid"),
            "sent_name": f"Canary {_name('sent')}",
            "sent_email": f"{_name('sentmail')}@example.com",
            "sent_street": _name("sentstreet"),
            "sent_tax_id": _name("senttaxid"),
            "faulty_email": f"{_name('faulty')}@example.com",
        }
        # Ids of projects and workspaces belong on reports and nowhere else.
        self.on_reports = {"workspace_id": _name("ws"), "project_id": _name("prj")}

    def all(self) -> dict[str, str]:
        """Return every canary, by kind."""
        return {**self.secrets, **self.personal, **self.on_reports}

    def forms(self, kind: str) -> list[str]:
        """Return the texts that prove a leak: the whole secret, or the rest of a password that was cut up."""
        text = self.all()[kind]
        if kind == "payload_key":
            return [text[:-2]]
        return [part for part in text.replace("#", "/").split("/") if "canary" in part.lower() or part == text]
