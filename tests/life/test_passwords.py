"""Passwords are masked in all that is shown or logged."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlflow_proxy.passwords import mask_passwords, mask_uri


@pytest.mark.parametrize("mask", [mask_passwords, mask_uri])
@pytest.mark.parametrize(
    ("uri", "masked"),
    [
        ("postgresql://me:hunter2@host/db", "postgresql://me:***@host/db"),
        ("http://host:8080/path", "http://host:8080/path"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("https://hunter2@host/path", "https://***@host/path"),
        ("https:/hunter2@host", "https:***@host"),
        ("postgresql//me:hunter2@host", "postgresql//me:***@host"),
        ("postgresql:/me:hunter2@host", "postgresql:***@host"),
        ("postgresql:me:hunter2@host", "postgresql:***@host"),
        ("postgresql:///me:hunter2@host", "postgresql:///me:***@host"),
        ("me:hunter2@host/db", "me:***@host/db"),
        ("sqlite:////home/me@corp/mlflow.db", "sqlite:////home/me@corp/mlflow.db"),
        ("file:///home/me@corp/mlruns", "file:///home/me@corp/mlruns"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
        ("postgresql://host/db?sslpassword=hunter2", "postgresql://host/db?sslpassword=***"),
        ("https://host/?access_token=hunter2&a=b", "https://host/?access_token=***&a=b"),
        ("host=db password='hunter 2' dbname=a", "host=db password=*** dbname=a"),
        ("redis://:hunter2@host", "redis://:***@host"),
        ("postgresql://me:hunter2/@a:b@host/db", "postgresql://me:***@host/db"),
        (
            "postgresql://host/db?user=me&password=hunter2&a=b",
            "postgresql://host/db?user=me&password=***&a=b",
        ),
        ("mysql://host/db?passwd=hunter2", "mysql://host/db?passwd=***"),
        (
            "mssql+pyodbc:///?odbc_connect=UID%3Dme%3BPWD%3Dhunter2",
            "mssql+pyodbc:///?odbc_connect=***",
        ),
    ],
)
def test_password_of_a_uri_is_masked(mask: Callable[[str], str], uri: str, masked: str) -> None:
    assert mask(uri) == masked


def test_password_with_a_space_or_like_a_port_is_masked() -> None:
    assert mask_uri("postgresql://me:hunter 2@host/db") == "postgresql://me:***@host/db"
    assert mask_uri("postgresql://me:12/hunter@host/db") == "postgresql://me:***@host/db"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("a http://u:p@h and b s3://k:s@h", "a http://u:***@h and b s3://k:***@h"),
        ("GET http://host:8080/path@x", "GET http://host:8080/path@x"),
        ("Engine('mysql://h/d?passwd=hunter2')", "Engine('mysql://h/d?passwd=***')"),
    ],
)
def test_every_uri_in_a_text_is_masked(text: str, masked: str) -> None:
    assert mask_passwords(text) == masked
