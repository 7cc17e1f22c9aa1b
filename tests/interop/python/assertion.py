"""Checks an assertion as a guarded server would: with PyJWT, and the keys that Keyward publishes.

Arguments: issuer, audience, seconds by which the clock of this server is ahead. The assertion is read from standard
input. Prints ``{"header": …, "claims": …}`` or ``{"refused": NAME}``.
"""

import json
import sys

import jwt

issuer, audience, ahead = sys.argv[1:]
assertion = sys.stdin.read().strip()
keys = jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json")
try:
    claims = jwt.decode(
        assertion,
        keys.get_signing_key_from_jwt(assertion),
        algorithms=["EdDSA"],
        issuer=issuer,
        audience=audience,
        leeway=-int(ahead),
        options={"require": ["iss", "sub", "aud", "iat", "exp"], "verify_iat": ahead == "0"},
    )
    print(json.dumps({"header": jwt.get_unverified_header(assertion), "claims": claims}))
except jwt.PyJWTError as error:
    print(json.dumps({"refused": type(error).__name__}))
