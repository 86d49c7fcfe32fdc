"""A product as a source, and asking for it to be read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from contracts import workflow_ids
from contracts.messages.sources import SourceInput, SourceRead, SyncSource
from temporal.sources import sync_source
from tests.arrivals.product import QUERY, ProductDatabase
from tests.support.system import System


def configure(system: System, folder: Path, product: ProductDatabase, every: str = "1h") -> SourceInput:
    """Write sources.toml with the product, and return what starts its workflow."""
    path = folder / "sources.toml"
    (folder / "product.url").write_text(product.url)
    url = f"file:{folder / 'product.url'}"
    lines = ("name = 'product'", "kind = 'sql'", f"url = '{url}'", f"query = '{QUERY}'", f"every = '{every}'")
    path.write_text("\n".join(("[[source]]", *lines)))
    system.settings = system.settings.model_copy(update={"sources": path})
    return SourceInput(name="product", every={"1h": timedelta(hours=1), "1s": timedelta(seconds=1)}[every])


async def details(system: System) -> str:
    """Return what the Temporal UI shows about the source."""
    handle = system.client.get_workflow_handle(workflow_ids.source("product"))
    return str(await handle.query("__temporal_workflow_metadata"))


async def sync(system: System, source: SourceInput, update_id: str) -> SourceRead:
    """Have the product read, and return the result."""
    return await sync_source(system.client, source, SyncSource(name=source.name, by="a test"), update_id)
