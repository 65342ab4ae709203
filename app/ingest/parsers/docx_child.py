"""The program that reads one Word file, run in a process of its own: `python -m app.ingest.parsers.docx_child JSON`.

The members of the ZIP file are read as streams, never unpacked to the disk; the text is read one paragraph or table
after the other. No link is followed, no entity is resolved, no macro is looked at. What it says is in `flow`.
"""

from __future__ import annotations

import json
import sys
import zipfile
import zlib
from typing import Any

from app.ingest.parsers.child_limits import take_limits
from app.ingest.parsers.flow import Flow, fail


def main() -> None:
    """Reads the task from the command line; exits 0 when it has said what it found."""
    task = json.loads(sys.argv[1])
    from lxml import etree  # noqa: PLC0415  (its library must be loaded before no more files may be opened)

    take_limits(task)
    try:
        flow, title = _read(task)
    except MemoryError:
        fail("too_costly", "memory")
    except RecursionError:
        fail("nesting")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, KeyError, OSError, ValueError) as error:
        fail("not_word", f"{type(error).__name__}: {error}")
    except RuntimeError as error:  # what zipfile raises for a member with a password
        fail("encrypted" if "encrypted" in str(error) else "not_word", str(error))
    except etree.LxmlError as error:
        fail(_kind(str(error)), str(error))
    flow.tell(title)


def _read(task: dict[str, Any]) -> tuple[Flow, str]:
    from app.ingest.parsers.docx_body import Body  # noqa: PLC0415  (lxml, as above)
    from app.ingest.parsers.docx_package import Package  # noqa: PLC0415

    with zipfile.ZipFile(task["path"]) as archive:
        package = Package(archive, task["memory_mb"] << 20)
        flow = Flow(task["characters"])
        body = Body(flow, package)
        for block in package.blocks():
            body.read(block)
        return flow, body.end()


def _kind(message: str) -> str:
    """What the XML library's own words mean; where it gets no memory, it only says that something is wrong."""
    if "depth" in message:
        return "nesting"
    return "too_costly" if "memory" in message.lower() or message.startswith("unknown error") else "not_word"


if __name__ == "__main__":
    main()
