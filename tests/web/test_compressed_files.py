"""Files are compressed once and served compressed only to clients that accept the coding."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest

from mlflow_proxy.shared import compressed_files
from mlflow_proxy.shared.compressed_files import accepted_codings, compressed

DECOMPRESS = {"br": brotli.decompress, "gzip": gzip.decompress}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "jupyter-mlflow-proxy"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "main.js"
    path.write_text("let x = 1;\n" * 10_000)
    return path


@pytest.mark.parametrize(
    ("header", "codings"),
    [
        ("gzip", ["gzip"]),
        ("gzip, deflate, br, zstd", ["br", "gzip"]),
        ("br;q=0.5, GZIP;q=1.0", ["br", "gzip"]),
        ("*", ["br", "gzip"]),
        ("br;q=0, *", ["gzip"]),
        ("gzip;q=0, br", ["br"]),
        ("gzip; q=0.0", []),
        ("", []),
        ("identity", []),
        ("xgzip", []),
    ],
)
def test_accept_encoding_selects_codings(header: str, codings: list[str]) -> None:
    assert accepted_codings(header) == codings


@pytest.mark.parametrize(("coding", "decompress"), DECOMPRESS.items())
def test_a_file_is_compressed_once(
    script: Path, cache: Path, coding: str, decompress: Callable[[bytes], bytes]
) -> None:
    twin = compressed(script, coding)
    assert twin
    assert twin.coding == coding
    assert twin.path.parent == cache
    assert decompress(twin.path.read_bytes()) == script.read_bytes()
    assert twin.path.stat().st_size < script.stat().st_size / 10
    made = twin.path.stat().st_mtime_ns
    assert compressed(script, coding) == twin
    assert twin.path.stat().st_mtime_ns == made
    assert list(cache.iterdir()) == [twin.path]


def test_an_interpreter_without_brotli_uses_gzip(
    script: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)
    twin = compressed(script, "br, gzip")
    assert twin
    assert twin.coding == "gzip"
    assert list(cache.iterdir()) == [twin.path]
    assert compressed(script, "br") is None


def test_a_changed_file_is_compressed_again(script: Path) -> None:
    first = compressed(script, "gzip")
    script.write_text("let y = 2;\n" * 10_000)
    second = compressed(script, "gzip")
    assert second
    assert second != first
    assert b"let y" in gzip.decompress(second.path.read_bytes())


@pytest.mark.parametrize(("name", "size"), [("a.png", 9999), ("a.woff2", 9999), ("a.js", 10)])
def test_incompressible_and_tiny_files_are_not_compressed(
    tmp_path: Path, name: str, size: int
) -> None:
    (tmp_path / name).write_bytes(b"x" * size)
    assert compressed(tmp_path / name, "br, gzip") is None


def test_unwritable_cache_disables_compression(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert compressed(script, "br, gzip") is None


def test_cache_writable_by_others_is_not_used(script: Path, cache: Path) -> None:
    assert compressed(script, "gzip")
    for mode in (0o770, 0o707, 0o777):
        cache.chmod(mode)
        assert compressed(script, "gzip") is None
    cache.chmod(0o700)
    assert compressed(script, "gzip")


def test_symlinked_cache_is_not_used(script: Path, cache: Path) -> None:
    """Another user who can write to the parent could place such a link."""
    cache.parent.mkdir()
    (script.parent / "elsewhere").mkdir(mode=0o700)
    cache.symlink_to(script.parent / "elsewhere")
    assert compressed(script, "gzip") is None


def test_a_planted_file_is_not_served(script: Path) -> None:
    twin = compressed(script, "gzip")
    assert twin
    twin.path.chmod(0o666)
    assert compressed(script, "gzip") is None
    twin.path.unlink()
    twin.path.symlink_to(script)
    assert compressed(script, "gzip") is None
    if os.geteuid() == 0:
        twin.path.unlink()
        twin.path.write_bytes(gzip.compress(b"alert(1)"))
        os.chown(twin.path, 12345, -1)
        assert compressed(script, "gzip") is None


def test_cache_is_private_with_any_umask(script: Path, cache: Path) -> None:
    umask = os.umask(0)
    try:
        twin = compressed(script, "gzip")
    finally:
        os.umask(umask)
    assert twin
    assert (cache.stat().st_mode & 0o777, twin.path.stat().st_mode & 0o777) == (0o700, 0o600)


def test_cache_size_is_bounded(script: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed_files, "MAX_CACHE", 1000)
    cache.mkdir(parents=True)
    for age, name in enumerate(["new", "old", "older"]):
        (cache / name).write_bytes(b"x" * 600)
        os.utime(cache / name, (1e9 - age, 1e9 - age))
    compressed(script, "gzip")
    assert sorted(path.name for path in cache.iterdir() if path.suffix != ".gzip") == ["new"]
