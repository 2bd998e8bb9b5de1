"""Certificates of a private authority, for an engine on a port and its clients."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of PEM files, named as the Docker CLI names them."""

    directory: Path

    @classmethod
    def issue(cls, directory: Path, *names: str) -> Certificates:
        """Write the files of a new authority, and of a certificate for names that it signed."""
        directory.mkdir(parents=True)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(directory / "ca.pem"))
        leaf = authority.issue_cert(*names)
        for number, blob in enumerate(leaf.cert_chain_pems):
            blob.write_to_path(str(directory / "cert.pem"), append=number > 0)
        leaf.private_key_pem.write_to_path(str(directory / "key.pem"))
        return cls(directory)

    @property
    def ca(self) -> str:
        """The certificate of the authority."""
        return str(self.directory / "ca.pem")

    @property
    def certificate(self) -> str:
        """The certificate that it signed."""
        return str(self.directory / "cert.pem")

    @property
    def key(self) -> str:
        """The key of that."""
        return str(self.directory / "key.pem")
