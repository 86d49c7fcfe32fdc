"""`docker-compose.yml`, read and interpolated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.deployment import compose_spec

ROOT = Path(__file__).resolve().parents[2]


FILE = ROOT / "docker-compose.yml"


RAW = compose_spec.read(FILE)


COMPOSE = compose_spec.interpolate(RAW, {})


SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("perdure:"))
