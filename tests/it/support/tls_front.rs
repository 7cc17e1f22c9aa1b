//! TLS before a server that speaks plain HTTP, with a certificate that no public authority has issued.

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// For `app.test`, `other.test`, `localhost` and `127.0.0.1`, good from 2020 to 2120; it guards nothing.
pub const CERTIFICATE: &str = include_str!("tls/certificate.pem");
const PRIVATE_KEY: &str = include_str!("tls/private_key.pem");

/// Listens on a port of its own until the test ends.
pub struct TlsFront {
    port: u16,
    shaken: Arc<AtomicUsize>,
}

impl TlsFront {
    /// Before the server at `behind`.
    pub async fn before(behind: SocketAddr) -> Self {
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(PRIVATE_KEY.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let front = Self { port: listener.local_addr().unwrap().port(), shaken: Arc::default() };
        let shaken = Arc::clone(&front.shaken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, shaken) = (acceptor.clone(), Arc::clone(&shaken));
                tokio::spawn(async move {
                    let Ok(mut outside) = acceptor.accept(stream).await else { return };
                    shaken.fetch_add(1, Ordering::SeqCst);
                    let mut inside = TcpStream::connect(behind).await.unwrap();
                    let _ = copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        front
    }

    /// The URL of an MCP server behind it.
    pub fn url(&self) -> String {
        format!("https://localhost:{}/mcp", self.port)
    }

    /// Connections that got through the handshake.
    pub fn shaken(&self) -> usize {
        self.shaken.load(Ordering::SeqCst)
    }
}
