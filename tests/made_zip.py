"""Archives as nobody should send them."""

import struct
import zipfile
from pathlib import Path


def overlapping_zip(path: Path) -> Path:
    """Fifield's bomb in small: two members that share bytes, of which many would."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a", "b"):
            archive.writestr(name, bytes(100))
    content = bytearray(path.read_bytes())
    second = content.index(b"PK\1\2", content.index(b"PK\1\2") + 1)
    content[second + 42 : second + 46] = struct.pack("<I", 10)
    path.write_bytes(content)
    return path
