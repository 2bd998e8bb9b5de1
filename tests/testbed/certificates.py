"""Certificates of a private authority, for an engine on a port and its clients."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import trustme

_RECIPE = """
openssl genrsa -out ca-key.pem 2048
openssl req -new -x509 -days 365 -key ca-key.pem -sha256 -out ca.pem -subj "/O=Example/CN=ca"
openssl genrsa -out server-key.pem 2048
openssl req -subj "/CN=server" -sha256 -new -key server-key.pem -out server.csr
openssl x509 -req -days 365 -sha256 -in server.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out server-cert.pem -extfile extfile.cnf
openssl genrsa -out key.pem 2048
openssl req -subj "/CN=client" -new -key key.pem -out client.csr
openssl x509 -req -days 365 -sha256 -in client.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out cert.pem -extfile extfile-client.cnf
"""  # noqa: E501
"""From https://docs.docker.com/engine/security/protect-access/, with shorter keys and without a password."""


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

    @classmethod
    def follow_recipe(cls, directory: Path, address: str) -> Certificates:
        """Write the files that Docker's documentation says how to make, for an engine at an IP address."""
        directory.mkdir(parents=True)
        server = f"subjectAltName = IP:{address}\nextendedKeyUsage = serverAuth\n"
        (directory / "extfile.cnf").write_text(server)
        (directory / "extfile-client.cnf").write_text("extendedKeyUsage = clientAuth\n")
        for line in _RECIPE.strip().splitlines():
            subprocess.run(shlex.split(line), cwd=directory, check=True, capture_output=True)
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
