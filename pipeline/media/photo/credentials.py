"""Content Credentials (C2PA) in an output, signed with the user's own certificate; the extra `credentials`."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipeline.ground.errors import ItemError, SettingsError, in_short
from pipeline.ground.files import read_plain, words
from pipeline.media.photo.decoders import recognise
from pipeline.media.photo.write import encode
from pipeline.media.photo.xmp import SOURCE_TYPE, Provenance

_MIME: Final = {"jpg": "image/jpeg", "png": "image/png", "tif": "image/tiff", "webp": "image/webp"}
# Of sources, by the name of their format: those that a signed file can name as what it was made of.
_PARENTS: Final = {
    **{"JPEG": "image/jpeg", "PNG": "image/png", "TIFF": "image/tiff", "WebP": "image/webp"},
    **{"AVIF": "image/avif", "HEIC": "image/heic", "GIF": "image/gif"},
}
# No thumbnails, which would be larger than all the rest; nothing is asked of another host.
_CONFIGURATION: Final = {
    "version": 1,
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": True},
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """Whose signature it is.

    Attributes:
        chain: the signer's certificate and those behind it, PEM.
        key: the private key, PEM without a password.
    """

    chain: bytes
    key: bytes


def certificate_of(chain: str, key: str) -> Certificate | None:
    """Read a certificate and its key from their files, and sign a picture of one pixel with them.

    Args:
        chain, key: their paths; both empty: nothing is to be signed.

    Raises:
        SettingsError: one of the two is missing, cannot be read, or nothing can be signed with them.
    """
    if not chain and not key:
        return None
    if not (chain and key):
        raise SettingsError("certificate and certificate_key belong together: one of them is not given.")
    found = Certificate(_plain(chain), _plain(key))
    said = Provenance("colorize", "", "", "")
    try:
        signed(bytes(encode(np.zeros((1, 1, 3), np.uint8), "png")), "png", None, found, said)
    except ItemError as error:
        raise SettingsError(f"Nothing can be signed with {chain}: {error}.") from None
    return found


def _plain(place: str) -> bytes:
    try:
        return read_plain(Path(place))
    except OSError as error:
        raise SettingsError(f"{place} cannot be read: {words(error)}.") from None


def signed(data: bytes, format: str, source: Path | None, by: Certificate, said: Provenance) -> bytes:
    """Return a picture's file with Content Credentials in it.

    They say what it was made of, by what, and that a net made its colour (IPTC's word for it, as in its XMP). They hold
    an identifier made at random: signed files differ from run to run.

    Args:
        data: the file.
        format: "jpg", "png", "tif" or "webp".
        source: the original, named by a hash; None: there is none.
        by: who signs.
        said: program, net and source.

    Raises:
        ItemError: it can't be signed.
        SettingsError: the extra is not installed.
    """
    try:
        import c2pa
    except ImportError:
        raise SettingsError(
            "Content Credentials need the extra: pip install 'colorize-archive[credentials]'."
        ) from None
    out = io.BytesIO()
    try:
        info = c2pa.C2paSignerInfo(_algorithm(c2pa, by.key), by.chain, by.key, None)
        with c2pa.Context.from_dict(_CONFIGURATION) as context, c2pa.Signer.from_info(info) as signer:
            builder = c2pa.Builder(_claims(said), context)
            parent = _kind(source)
            if source is not None and parent:
                builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
                with source.open("rb") as file:
                    builder.add_ingredient(json.dumps(_ingredient(source)), parent, file)
            else:
                kind = c2pa.C2paDigitalSourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA
                builder.set_intent(c2pa.C2paBuilderIntent.CREATE, kind)
            builder.sign(signer, _MIME[format], io.BytesIO(data), out)
    except OSError:
        raise
    except Exception as error:  # c2pa's own, of many classes; ValueError and TypeError of a key that is none
        raise ItemError(f"it cannot be signed: {in_short(error)}") from None
    return out.getvalue()


def _claims(said: Provenance) -> dict[str, Any]:
    name, _, version = said.software.partition(" ")
    details = {"model": said.model, "modelSha256": said.model_sha256, "sourceSha256": said.source_sha256}
    action = {
        "action": "c2pa.color_adjustments",
        "digitalSourceType": SOURCE_TYPE,
        "parameters": {f"org.colorize.{key}": value for key, value in details.items() if value},
    }
    return {
        "claim_generator_info": [{"name": name, **({"version": version} if version else {})}],
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}],
    }


def _ingredient(source: Path) -> dict[str, str]:
    name = source.name.encode("utf-8", "backslashreplace").decode()
    return {"title": name, "relationship": "parentOf"}


def _kind(source: Path | None) -> str:
    if source is None:
        return ""
    with source.open("rb") as file:
        found = recognise(file.read(4096))
    return _PARENTS.get(found.name, "") if found else ""


def _algorithm(c2pa: Any, key: bytes) -> Any:
    """Return the algorithm of COSE that goes with a private key (C2PA 2.1, 13.2)."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    found, known = load_pem_private_key(key, None), c2pa.C2paSigningAlg
    if isinstance(found, ec.EllipticCurvePrivateKey):
        return {256: known.ES256, 384: known.ES384}.get(found.curve.key_size, known.ES512)
    if isinstance(found, rsa.RSAPrivateKey):
        return known.PS256
    if isinstance(found, ed25519.Ed25519PrivateKey):
        return known.ED25519
    raise ValueError("its key is of a kind that signs no credentials")
