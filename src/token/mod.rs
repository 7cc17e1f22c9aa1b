//! Signed tokens: claims, the JWS format, issuing, verifying (the hot path) and revocation.
