"""The body of a request as the bytes that were sent, whatever it says it is: evaluation files are parsed by us."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from metrics.problems import TooLarge


class FileParser(BaseParser):
    media_type = "*/*"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Read up to the limit and no further: what is larger is refused without being held in memory."""
        raw: bytes = stream.read(settings.EVIDENCE_MAX_BYTES + 1)
        if len(raw) > settings.EVIDENCE_MAX_BYTES:
            raise TooLarge(f"An evaluation file may have {settings.EVIDENCE_MAX_BYTES:,} bytes.")
        return raw
