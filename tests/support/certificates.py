"""Certificates of a private authority."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Authority:
    """A certificate authority whose files are in `folder`."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """Its own certificate."""
        return self.folder / "ca.pem"

    def issue(self, name: str, *, days: int = 1, alternative: str = "") -> Path:
        """Issue a certificate for `name`; returns a PEM file with it and its key.

        `alternative` is a `subjectAltName`; by default the DNS name `name`.
        """
        base = self.folder / name
        options = base.with_suffix(".ext")
        options.write_text(f"subjectAltName={alternative or f'DNS:{name}'}\n")
        key, request, certificate = (base.with_suffix(s) for s in (".key", ".csr", ".crt"))
        new_key = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(key)]
        openssl("req", *new_key, "-subj", f"/CN={name}", "-out", str(request))
        signer = ["-CA", str(self.certificate), "-CAkey", str(self.folder / "ca.key")]
        openssl(
            *("x509", "-req", "-in", str(request), *signer, "-CAcreateserial"),
            *("-days", str(days), "-extfile", str(options), "-out", str(certificate)),
        )
        both = base.with_suffix(".pem")
        both.write_text(certificate.read_text() + key.read_text())
        return both


def authority(folder: Path) -> Authority:
    """Make a certificate authority in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = ["-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem")]
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ca", *files
    )
    return Authority(folder)


def openssl(*arguments: str) -> None:
    """Run OpenSSL's program."""
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
