//! Whom do we believe to be who they say, when we call over TLS? The public certificate authorities, and further ones.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::error::Error;
use std::sync::Arc;

/// The extra root certificates cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the extra root certificates are not PEM with certificates: {0}")]
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

/// How we call over TLS 1.2 and 1.3; `extra_roots` is PEM, or empty.
pub fn client(extra_roots: &[u8]) -> Result<rustls::ClientConfig, BadRoots> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in CertificateDer::pem_slice_iter(extra_roots) {
        let certificate = certificate.map_err(|error| BadRoots(error.to_string()))?;
        roots.add(certificate).map_err(|error| BadRoots(error.to_string()))?;
    }
    if !extra_roots.trim_ascii().is_empty() && roots.len() == webpki_roots::TLS_SERVER_ROOTS.len() {
        return Err(BadRoots("there is no certificate in it".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring offers TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth())
}
