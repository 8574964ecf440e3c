//! A certificate authority made at run time, and the leafs it signs: good ones and bad ones.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion, version};

/// A certificate authority that lives as long as this value and that nothing trusts by default.
///
/// Keys are ECDSA P-256, which every TLS library reads. Give [`pem`](Self::pem) or
/// [`der`](Self::der) to the client under test as its only trusted root.
pub struct TestCa {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: Vec<u8>,
}

/// What is right or wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeafKind {
    /// Valid for `localhost`, `127.0.0.1` and `::1`.
    Good,
    /// As `Good`, but for the name `wrong-name.invalid` only.
    WrongName,
    /// As `Good`, but expired at the end of 2001.
    Expired,
    /// As `Good`, but valid from 2098 only.
    NotYetValid,
    /// As `Good`, but signed by another authority of the same name.
    UnknownCa,
}

impl LeafKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Good, Self::WrongName, Self::Expired, Self::NotYetValid, Self::UnknownCa];
}

/// A certificate with its private key.
pub struct Leaf {
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// Its key: PKCS #8, DER.
    pub private_key: Vec<u8>,
}

/// Versions of TLS that a server offers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// 1.2 alone.
    Only12,
    /// 1.3 alone.
    Only13,
}

impl TestCa {
    /// Makes an authority with a fresh key.
    ///
    /// # Errors
    /// When the system gives no randomness for a key.
    pub fn new() -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "gatekeeper test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2099, 12, 31);
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        Ok(Self { pem: certificate.pem(), der: certificate.der().to_vec(), issuer: Issuer::new(params, key) })
    }

    /// The authority's certificate in PEM, as `--ca-file` options want it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The authority's certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Makes and signs a certificate of that kind.
    ///
    /// # Errors
    /// When the system gives no randomness for a key.
    pub fn leaf(&self, kind: LeafKind) -> io::Result<Leaf> {
        if kind == LeafKind::UnknownCa {
            return Self::new()?.leaf(LeafKind::Good);
        }
        let names: &[&str] = match kind {
            LeafKind::WrongName => &["wrong-name.invalid"],
            _ => &["localhost", "127.0.0.1", "::1"],
        };
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, "gatekeeper test server");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2099, 12, 31);
        match kind {
            LeafKind::Expired => params.not_after = date_time_ymd(2001, 12, 31),
            LeafKind::NotYetValid => params.not_before = date_time_ymd(2098, 1, 1),
            _ => {}
        }
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        Ok(Leaf { certificate: certificate.der().to_vec(), private_key: key.serialize_der() })
    }
}

impl fmt::Debug for TestCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestCa").finish_non_exhaustive()
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf").finish_non_exhaustive()
    }
}

/// The TLS side of one server: its authority, the certificate it presents at the moment, and the
/// configuration of rustls that asks for it.
pub(crate) struct ServerTls {
    pub(crate) ca: Arc<TestCa>,
    pub(crate) config: Arc<ServerConfig>,
    presented: Arc<Presented>,
}

impl ServerTls {
    pub(crate) fn new(ca: Arc<TestCa>, kind: LeafKind, versions: TlsVersions) -> io::Result<Self> {
        let presented = Arc::new(Presented(RwLock::new(certified(&ca, kind)?)));
        let versions: &[&SupportedProtocolVersion] = match versions {
            TlsVersions::Both => &[&version::TLS13, &version::TLS12],
            TlsVersions::Only12 => &[&version::TLS12],
            TlsVersions::Only13 => &[&version::TLS13],
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(presented.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A resumed session skips the certificate, and would hide that it was exchanged.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { ca, config: Arc::new(config), presented })
    }

    /// Presents a certificate of that kind from the next handshake on.
    pub(crate) fn present(&self, kind: LeafKind) -> io::Result<()> {
        let key = certified(&self.ca, kind)?;
        *self.presented.0.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }
}

struct Presented(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Presented {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").finish_non_exhaustive()
    }
}

fn certified(ca: &TestCa, kind: LeafKind) -> io::Result<Arc<CertifiedKey>> {
    let leaf = ca.leaf(kind)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf.private_key));
    let key = ring::sign::any_supported_type(&key).map_err(io::Error::other)?;
    let chain = vec![CertificateDer::from(leaf.certificate)];
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}
