"""Files are compressed once, and served compressed only to who takes it."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from mlflow_proxy import compressed_files
from mlflow_proxy.compressed_files import accepts_gzip, compressed


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "jupyter-mlflow-proxy"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "main.js"
    path.write_text("let x = 1;\n" * 10_000)
    return path


@pytest.mark.parametrize("header", ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, GZIP;q=0.5", "*"])
def test_who_takes_gzip(header: str) -> None:
    assert accepts_gzip(header)


@pytest.mark.parametrize("header", ["", "identity", "br", "gzip;q=0", "gzip; q=0.0", "xgzip"])
def test_who_does_not(header: str) -> None:
    assert not accepts_gzip(header)


def test_a_file_is_compressed_once(script: Path, cache: Path) -> None:
    twin = compressed(script)
    assert twin
    assert twin.parent == cache
    assert gzip.decompress(twin.read_bytes()) == script.read_bytes()
    assert twin.stat().st_size < script.stat().st_size / 10
    made = twin.stat().st_mtime_ns
    assert compressed(script) == twin
    assert twin.stat().st_mtime_ns == made
    assert list(cache.iterdir()) == [twin]


def test_a_changed_file_is_compressed_anew(script: Path) -> None:
    first = compressed(script)
    script.write_text("let y = 2;\n" * 10_000)
    second = compressed(script)
    assert second
    assert second != first
    assert b"let y" in gzip.decompress(second.read_bytes())


@pytest.mark.parametrize(("name", "size"), [("a.png", 9999), ("a.woff2", 9999), ("a.js", 10)])
def test_what_does_not_shrink_is_left(tmp_path: Path, name: str, size: int) -> None:
    (tmp_path / name).write_bytes(b"x" * size)
    assert compressed(tmp_path / name) is None


def test_a_cache_that_cannot_be_written_is_done_without(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert compressed(script) is None


def test_the_cache_is_bounded(script: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed_files, "MAX_CACHE", 1000)
    cache.mkdir(parents=True)
    for age, name in enumerate(["new", "old", "older"]):
        (cache / name).write_bytes(b"x" * 600)
        os.utime(cache / name, (1e9 - age, 1e9 - age))
    compressed(script)
    assert sorted(path.name for path in cache.iterdir() if path.suffix != ".gz") == ["new"]
