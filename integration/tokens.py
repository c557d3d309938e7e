"""Tokens (JWT, RFC 7519) as an issuer makes them, good and bad, and its keys as a JWKS (RFC 7517)."""

import base64
import hashlib
import hmac
import json
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

ISSUER, AUDIENCE = "https://issuer.example.com", "modelgate"  # as envoy/secure.yaml has them


def encoded(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changes):
    """The claims of a good token; None takes one out."""
    now = int(time.time())
    all_of_them = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 600, **changes}
    return {name: value for name, value in all_of_them.items() if value is not None}


class Secret:
    """HS256."""

    algorithm = "HS256"

    def __init__(self, secret):
        self.secret = secret

    def jwk(self):
        return {"kty": "oct", "alg": "HS256", "kid": "HS256", "k": encoded(self.secret)}

    def sign(self, data):
        return hmac.new(self.secret, data, hashlib.sha256).digest()


class Rsa:
    """RS256."""

    algorithm = "RS256"

    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)

    def jwk(self):
        numbers = self.key.public_key().public_numbers()
        n, e = (encoded(n.to_bytes((n.bit_length() + 7) // 8, "big")) for n in (numbers.n, numbers.e))
        return {"kty": "RSA", "alg": "RS256", "kid": "RS256", "n": n, "e": e}

    def public(self):
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, data):
        return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())


class Elliptic:
    """ES256."""

    algorithm = "ES256"

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())

    def jwk(self):
        numbers = self.key.public_key().public_numbers()
        x, y = (encoded(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "ES256", "x": x, "y": y}

    def sign(self, data):
        r, s = utils.decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def jwks(*keys):
    return json.dumps({"keys": [key.jwk() for key in keys]})


def token(key, head=None, **changes):
    """A token of these claims, signed with the key; `head` changes what the header says of it."""
    head = {"alg": key.algorithm, "typ": "JWT", "kid": key.algorithm, **(head or {})}
    signed = f"{encoded(head)}.{encoded(claims(**changes))}"
    return f"{signed}.{encoded(key.sign(signed.encode()))}"


def unsigned(**changes):
    """What `alg: none` would be."""
    return f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded(claims(**changes))}."
