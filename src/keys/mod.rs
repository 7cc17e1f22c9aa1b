//! Signing keys: their states, rotation, sealing and the published JWKS.
