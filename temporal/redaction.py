"""Takes the values of secrets out of texts that leave a process: logs, errors, what programs print."""

import base64
import json
import re
import threading
from typing import Any, Final
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

MASK: Final = "[secret]"
# Shorter ones are words such as "true": every text would be full of holes.
MIN_CHARS: Final = 6
# A line of a long value, such as of a key in PEM, is looked for by itself from this length on.
_MIN_LINE_CHARS: Final = 16


class Redaction:
    """Remembers values and finds them in texts, also as JSON, URLs and base64 write them."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def remember(self, value: SecretStr) -> None:
        """Look for a value from now on, for as long as the process lives."""
        forms = _forms(value.get_secret_value())
        with self._lock:
            if forms <= self._forms:
                return
            # Replaced, not changed: texts are redacted by other threads meanwhile. The longest is tried first.
            self._forms = self._forms | forms
            self._pattern = re.compile("|".join(map(re.escape, sorted(self._forms, key=len, reverse=True))))

    def redacted(self, text: str) -> str:
        """Return a text with a mask in place of every value."""
        pattern = self._pattern
        return pattern.sub(MASK, text) if pattern else text

    def redacted_cut(self, text: str) -> str:
        """Return a text that may end within a value likewise, also without such a beginning at its end."""
        whole = self.redacted(text)
        longest = max(
            (length for form in self._forms for length in range(len(form) - 1, 3, -1) if whole.endswith(form[:length])),
            default=0,
        )
        return whole[: len(whole) - longest] + MASK if longest else whole

    def redacted_values(self, value: Any) -> Any:  # noqa: ANN401 -- any JSON value
        """Return a JSON value in which every text is redacted, keys as well."""
        if isinstance(value, str):
            return self.redacted(value)
        if isinstance(value, dict):
            return {self.redacted_values(key): self.redacted_values(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.redacted_values(item) for item in value]
        return value


# Logging is one for a process, and so is what must not stand in it.
PROCESS: Final = Redaction()


def _forms(text: str) -> set[str]:
    parts = {text, text.strip(), *(line.strip() for line in text.splitlines() if len(line.strip()) >= _MIN_LINE_CHARS)}
    forms: set[str] = set()
    for part in parts:
        if len(part) >= MIN_CHARS:
            data = part.encode(errors="replace")
            forms |= {part, json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1], repr(part)[1:-1]}
            forms |= {quote(part), quote(part, safe=""), quote_plus(part), data.hex()}
            forms |= _base64_forms(data)
    return forms


def _base64_forms(data: bytes) -> set[str]:
    """Return what base64 makes of a value at each of the three places within a text that it may begin at."""
    forms: set[str] = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(data).decode()
        forms |= {whole, whole.rstrip("=")}
        for before in range(3):
            # The characters at both ends hold bits of what stands beside the value.
            first, last = (before * 8 + 5) // 6, (before + len(data)) * 8 // 6
            forms.add(encode(bytes(before) + data).decode()[first:last])
    return {form for form in forms if len(form) >= MIN_CHARS}
