"""What identifies a user to Jupyter stays with Jupyter."""

from __future__ import annotations

import pytest

from mlflow_proxy.server.middleware.jupyter_credentials import without_token


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (b"token=abc", b""),
        (b"token=abc&page=2", b"page=2"),
        (b"page=2&token=abc", b"page=2"),
        (b"a=1&token=abc&b=%20&token=d", b"a=1&b=%20"),
        (b"page_token=abc&tokens=1", b"page_token=abc&tokens=1"),
        (b"path=a%26token=b", b"path=a%26token=b"),
    ],
)
def test_only_the_token_is_removed(query: bytes, left: bytes) -> None:
    assert without_token(query) == left
