//! Whom do we believe to be who they say, when we call over TLS? The public certificate authorities, and further ones.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::error::Error;
use std::sync::Arc;

/// The authorities whose certificates are believed: the public ones, and perhaps further ones.
#[derive(Clone)]
pub struct Roots(Arc<RootCertStore>);

/// The extra root certificates cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a PEM file with certificates: {0}")]
pub struct BadRoots(String);

/// Why a connection over TLS was not made, as far as that tells what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsProblem {
    /// The certificate was issued by nobody whom we know.
    Untrusted,
    /// The certificate is for other names.
    OtherName,
    /// The certificate's time is over, or has not come.
    Expired,
    /// The other side speaks no TLS.
    NotTls,
    /// Something else about it.
    Other,
}

/// What of TLS went wrong, if it was that which `error` tells of.
pub fn problem(error: &(dyn Error + 'static)) -> Option<TlsProblem> {
    use rustls::CertificateError;
    let mut causes = Vec::from([error]);
    while let Some(cause) = causes.pop() {
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return Some(match error {
                rustls::Error::InvalidCertificate(problem) => match problem {
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                        TlsProblem::OtherName
                    }
                    CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. } => TlsProblem::Expired,
                    _ => TlsProblem::Untrusted,
                },
                rustls::Error::InvalidMessage(_) => TlsProblem::NotTls,
                _ => TlsProblem::Other,
            });
        }
        // The source of an I/O error is the source of what it was made of.
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        causes.extend(inner.map(|inner| inner as &(dyn Error + 'static)));
        causes.extend(cause.source());
    }
    None
}

impl Roots {
    /// The public ones.
    pub fn public() -> Self {
        Self(Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }))
    }

    /// The public ones and those in `pem`, of which there is at least one.
    pub fn with(pem: &[u8]) -> Result<Self, BadRoots> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| BadRoots(error.to_string()))?;
            roots.add(certificate).map_err(|error| BadRoots(error.to_string()))?;
        }
        if roots.len() == webpki_roots::TLS_SERVER_ROOTS.len() {
            return Err(BadRoots("there is no certificate in it".to_owned()));
        }
        Ok(Self(Arc::new(roots)))
    }
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Roots({})", self.0.len())
    }
}

/// How we call over TLS 1.2 and 1.3.
pub fn client(roots: &Roots) -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring offers TLS 1.2 and 1.3")
        .with_root_certificates(Arc::clone(&roots.0))
        .with_no_client_auth()
}
