"""Addresses of shards: which texts are addresses, what they are called, and what lies beside them.

What an address means is WebDataset's to say (its gopen); here is only what surrounds that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from ..errors import UserError

# Two letters at least: C:\photos is no address.
_ADDRESS = re.compile(r"(pipe:|file:|[a-z][a-z0-9+.-]+://)", re.IGNORECASE)


def is_url(text: object) -> bool:
    """Whether ``text`` is an address, or several (``::`` between them), and no path."""
    return isinstance(text, str) and _ADDRESS.match(text) is not None


def path_or_url(text: str) -> Path | str:
    """A path, unless ``text`` is an address: as a path it would lose a slash."""
    return text if is_url(text) else Path(text)


def scheme_of(url: str) -> str:
    """Lower case, without its colon."""
    return url.partition(":")[0].lower()


def expand(pattern: str) -> list[str]:
    """The addresses that a WebDataset pattern names: ``a-{000..012}.tar``, ``::`` between several.

    Raises:
        UserError: the pattern cannot be read, or names one shard twice.
    """
    from braceexpand import UnbalancedBracesError
    from webdataset.shardlists import expand_urls

    try:
        urls = expand_urls(pattern)
    except UnbalancedBracesError as error:
        raise UserError(f"{shown(pattern)}: unbalanced braces in the shard pattern") from error
    except AssertionError as error:  # webdataset's ${NAME} stands for the variable WDS_NAME
        raise UserError(f"{shown(pattern)}: {error}") from error
    check_distinct(urls)
    return urls


def check_distinct(urls: Sequence[str]) -> None:
    """Raise a UserError when a shard is named twice: its images would count twice."""
    seen: set[str] = set()
    for url in urls:
        if url in seen:
            raise UserError(f"{shown(url)}: named twice")
        seen.add(url)


def shown(url: str) -> str:
    """What messages call an address: without what may be a password or a signature."""
    if scheme_of(url) in ("pipe", "file") or "://" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def base_name(url: str) -> str:
    """The file's name in an address; the whole command of a pipe."""
    if scheme_of(url) == "pipe":
        return url
    return unquote(urlsplit(url).path.rpartition("/")[2])


def beside(url: str, name: str) -> str | None:
    """The address of another file in the same folder; None where that cannot be known (pipe)."""
    if scheme_of(url) == "pipe":
        return None
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rpartition("/")[0] + "/" + name))


def local_path(url: str) -> Path | None:
    """The path of a ``file:`` address, which is read where it lies; None for all others."""
    if scheme_of(url) != "file":
        return None
    from urllib.request import url2pathname  # takes a while to import, and train --help has no use for it

    return Path(url2pathname(urlsplit(url).path))
