"""The message as it comes from the network and goes there, and what is large for one."""

from __future__ import annotations

#: Subject, reply subject, header block, payload. A tuple, because the hot path makes hundreds of thousands a second.
Message = tuple[bytes, bytes, "bytes | None", bytes]

#: Bytes from which on copying costs more than anything else that is done with a message.
LARGE = 32 * 1024
