//! TLS 1.3 with raw public keys on both ends (RFC 7250): no certificates, no authorities, no resumption.

use std::sync::{Arc, Mutex, PoisonError};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};

use super::identity::key_of;
use super::{Identity, NetError};
use crate::sync::PeerKey;

/// Names the protocol and its version: ends of other versions do not come together.
const ALPN: &[u8] = b"warp/1";
/// What TLS wants for a server's name. It is not sent: the key says who the server is.
pub(super) const SERVER_NAME: &str = "warp";

/// The key that a server has shown, and the one that it must show.
#[derive(Debug)]
pub(super) struct Expectation {
    expected: Option<PeerKey>,
    shown: Mutex<Option<PeerKey>>,
}

impl Expectation {
    /// Takes this key alone; without one, any.
    pub(super) fn new(expected: Option<PeerKey>) -> Arc<Self> {
        Arc::new(Self { expected, shown: Mutex::new(None) })
    }

    /// The key that the server has shown, also where the handshake failed because of it.
    pub(super) fn shown(&self) -> Option<PeerKey> {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client needs for a handshake.
pub(super) fn client(
    identity: &Identity,
    expectation: Arc<Expectation>,
) -> Result<QuicClientConfig, NetError> {
    let provider = provider();
    let verifier = Arc::new(ServerKeys { expectation, provider: Arc::clone(&provider) });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(identity.certified())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    QuicClientConfig::try_from(config).map_err(unusable)
}

/// What a server needs for handshakes.
pub(super) fn server(identity: &Identity) -> Result<QuicServerConfig, NetError> {
    let provider = provider();
    let verifier = Arc::new(ClientKeys { provider: Arc::clone(&provider) });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(identity.certified())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    QuicServerConfig::try_from(config).map_err(unusable)
}

/// The key that the other end of a connection has proved to hold.
pub(super) fn peer(connection: &quinn::Connection) -> Option<PeerKey> {
    let shown = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    key_of(shown.first()?)
}

/// The algorithms, with AES-128-GCM first: with hardware for AES it is the quickest, and as strong as the keys.
fn provider() -> Arc<CryptoProvider> {
    use aws_lc_rs::cipher_suite::{
        TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
    };
    let cipher_suites =
        vec![TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256];
    Arc::new(CryptoProvider { cipher_suites, ..aws_lc_rs::default_provider() })
}

fn unusable(error: impl std::fmt::Display) -> NetError {
    NetError::Tls { why: error.to_string() }
}

/// Reads the key in the place of a certificate.
fn shown_key(end_entity: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Result<PeerKey, Error> {
    if !more.is_empty() {
        return Err(Error::InvalidCertificate(CertificateError::BadEncoding));
    }
    key_of(end_entity).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))
}

/// Checks that the other end holds the key that it shows.
fn verify(
    provider: &CryptoProvider,
    message: &[u8],
    shown: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let spki = SubjectPublicKeyInfoDer::from(shown.as_ref());
    verify_tls13_signature_with_raw_key(message, &spki, signed, &provider.signature_verification_algorithms)
}

/// There is no TLS 1.2 here.
fn too_old() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::PeerIncompatible(rustls::PeerIncompatible::Tls12NotOffered))
}

/// Takes the key of a server, or any one for the caller to look at before it says a word.
#[derive(Debug)]
struct ServerKeys {
    expectation: Arc<Expectation>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ServerKeys {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = shown_key(end_entity, intermediates)?;
        *self.expectation.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        match self.expectation.expected {
            Some(expected) if expected != key => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(&self.provider, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Takes any key of a client that it proves to hold: what the key may do is for the handler to say.
#[derive(Debug)]
struct ClientKeys {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for ClientKeys {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        shown_key(end_entity, intermediates).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(&self.provider, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
