//! Owns whether a session is encrypted and whom it trusts: the `ssl…` fields of `connect`, as the
//! server's own clients read them. A session that was asked to be encrypted is never plain.

use std::path::Path;
use std::sync::Arc;

use postgres::config::{Host, SslMode};
use postgres::{Client, Config, NoTls};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore};
use rustls::{Error, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connect::{Connect, wrong};
use crate::engine::EngineError;

/// The fields, with the variable that tells a client program the same.
pub const FIELDS: [(&str, &str); 4] = [
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
];

/// How far a session is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Plain.
    Disable,
    /// Encrypted where the server can, without knowing who it is.
    Prefer,
    /// Encrypted; the server is known when `sslrootcert` is given.
    Require,
    /// Encrypted; the server's certificate comes from an authority that is trusted.
    VerifyCa,
    /// As before, and the certificate is this host's.
    VerifyFull,
}

impl Mode {
    /// As the fields say it: with an authority and without a mode, all is verified.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn of(service: &str, connect: &Connect) -> Result<Self, EngineError> {
        let refuse = |cause: &str| Err(wrong(service, "sslmode", cause.to_owned()));
        let authority = connect.contains_key("sslrootcert");
        let mode = match connect.get("sslmode").map(String::as_str) {
            None if authority => Self::VerifyFull,
            None | Some("disable" | "allow") => Self::Disable,
            Some("prefer") => Self::Prefer,
            Some("require") if authority => Self::VerifyCa,
            Some("require") => Self::Require,
            Some("verify-ca") => Self::VerifyCa,
            Some("verify-full") => Self::VerifyFull,
            Some(other) => {
                return refuse(&format!(
                    "`{other}` is none of disable, allow, prefer, require, verify-ca, verify-full"
                ));
            }
        };
        if mode >= Self::VerifyCa && !authority {
            return refuse("add `sslrootcert: FILE` with the certificate of the authority");
        }
        if mode == Self::Disable && authority {
            return refuse("`sslrootcert` asks for an encrypted session: take one of them out");
        }
        Ok(mode)
    }

    /// The word of the server's own clients.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// What a client program is told, beside removing what it would inherit.
///
/// # Errors
/// As [`Mode::of`].
pub fn environment(
    service: &str,
    connect: &Connect,
) -> Result<Vec<(&'static str, String)>, EngineError> {
    let mode = Mode::of(service, connect)?;
    let mut all = vec![("PGSSLMODE", mode.word().to_owned())];
    for (field, variable) in FIELDS.into_iter().skip(1) {
        let value = connect.get(field).cloned();
        all.extend(value.map(|value| (variable, value)));
    }
    Ok(all)
}

/// Opens the session, encrypted as the fields say.
///
/// # Errors
/// The inner error is the server's or the handshake's; the outer one names a wrong field.
pub(super) fn open(
    service: &str,
    connect: &Connect,
    mut config: Config,
) -> Result<Result<Client, postgres::Error>, EngineError> {
    let mode = Mode::of(service, connect)?;
    if mode == Mode::Disable {
        config.ssl_mode(SslMode::Disable);
        return Ok(config.connect(NoTls));
    }
    let socket = |host: &Host| matches!(host, Host::Unix(_));
    if mode > Mode::Prefer && config.get_hosts().iter().any(socket) {
        let cause = "a socket is not encrypted: name a `host`, or take the mode out".to_owned();
        return Err(wrong(service, "sslmode", cause));
    }
    config.ssl_mode(if mode == Mode::Prefer {
        SslMode::Prefer
    } else {
        SslMode::Require
    });
    let tls = MakeRustlsConnect::new(settings(service, connect, mode)?);
    Ok(config.connect(tls))
}

fn settings(service: &str, connect: &Connect, mode: Mode) -> Result<ClientConfig, EngineError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(Verifier {
        authority: authority(service, connect, &provider)?,
        names: mode == Mode::VerifyFull,
        provider: Arc::clone(&provider),
    });
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let failed = |error: Error| wrong(service, "sslmode", error.to_string());
    let builder = builder
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let (Some(own), Some(key)) = (connect.get("sslcert"), connect.get("sslkey")) else {
        if connect.contains_key("sslcert") || connect.contains_key("sslkey") {
            let cause = "`sslcert` and `sslkey` belong together".to_owned();
            return Err(wrong(service, "sslcert", cause));
        }
        return Ok(builder.with_no_client_auth());
    };
    let key_of = |error| wrong(service, "sslkey", format!("{key}: {error}"));
    let key = PrivateKeyDer::from_pem_file(key).map_err(key_of)?;
    let own_all = certificates(service, "sslcert", own)?;
    let built = builder.with_client_auth_cert(own_all, key);
    built.map_err(|error| wrong(service, "sslcert", error.to_string()))
}

fn certificates(
    service: &str,
    field: &str,
    path: &str,
) -> Result<Vec<CertificateDer<'static>>, EngineError> {
    let failed = |error: &dyn std::fmt::Display| wrong(service, field, format!("{path}: {error}"));
    let found = CertificateDer::pem_file_iter(Path::new(path)).map_err(|error| failed(&error))?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|error| failed(&error))?;
    if found.is_empty() {
        return Err(failed(&"it holds no certificate"));
    }
    Ok(found)
}

fn authority(
    service: &str,
    connect: &Connect,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<WebPkiServerVerifier>>, EngineError> {
    let Some(path) = connect.get("sslrootcert") else {
        return Ok(None);
    };
    let failed = |error: String| wrong(service, "sslrootcert", format!("{path}: {error}"));
    let mut roots = RootCertStore::empty();
    for certificate in certificates(service, "sslrootcert", path)? {
        let added = roots.add(certificate);
        added.map_err(|error| failed(error.to_string()))?;
    }
    let provider = Arc::clone(provider);
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    built.map(Some).map_err(|error| failed(error.to_string()))
}

/// Judges the server's certificate as far as the mode asks.
#[derive(Debug)]
struct Verifier {
    /// None when any certificate is taken.
    authority: Option<Arc<WebPkiServerVerifier>>,
    /// Must it be this host's?
    names: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authority) = &self.authority else {
            return Ok(ServerCertVerified::assertion());
        };
        match authority.verify_server_cert(own, between, name, stapled, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.names => Ok(ServerCertVerified::assertion()),
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, own, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, own, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(fields: &[(&str, &str)]) -> Connect {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        fields.iter().map(owned).collect()
    }

    #[test]
    fn an_authority_means_that_all_is_verified() {
        let mode = |fields: &[(&str, &str)]| Mode::of("shop", &connect(fields));
        assert_eq!(mode(&[]).expect("plain"), Mode::Disable);
        let full = mode(&[("sslrootcert", "ca.crt")]).expect("a mode");
        assert_eq!(full, Mode::VerifyFull);
        let required = mode(&[("sslmode", "require"), ("sslrootcert", "ca.crt")]);
        assert_eq!(required.expect("a mode"), Mode::VerifyCa);
        for wrong in [
            vec![("sslmode", "verify-full")],
            vec![("sslmode", "verify-ca")],
            vec![("sslmode", "on")],
            vec![("sslmode", "disable"), ("sslrootcert", "ca.crt")],
        ] {
            let told = mode(&wrong).expect_err("wrong").to_string();
            assert!(told.contains("sslmode"), "{told}");
        }
    }

    #[test]
    fn a_session_that_should_be_encrypted_is_not_opened_on_a_socket() {
        let mut config = Config::new();
        config.host_path("/nowhere").user("planc");
        let fields = connect(&[("sslmode", "require")]);
        let told = open("shop", &fields, config).err().expect("refused");
        assert!(
            told.to_string().contains("a socket is not encrypted"),
            "{told}"
        );
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.crt");
        std::fs::write(&path, "nothing").expect("written");
        let fields = connect(&[("sslrootcert", &path.display().to_string())]);
        let told = settings("shop", &fields, Mode::VerifyFull).expect_err("refused");
        let told = told.to_string();
        assert!(
            told.contains("sslrootcert") && told.contains("no certificate"),
            "{told}"
        );
    }
}
