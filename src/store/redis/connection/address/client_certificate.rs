//! The client certificate, for a server that requires one (`tls-auth-clients yes`).

use std::fs;
use std::path::Path;
use std::sync::Arc;

use deadpool_redis::redis::ClientTlsConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config::ClientCertificate;
use crate::store::redis::connection::address::AddressError;

/// Reads the certificate, with its chain if there is one, and its key, and checks that rustls can use them.
pub(crate) fn read(files: &ClientCertificate) -> Result<ClientTlsConfig, AddressError> {
    let ClientCertificate { certificate, key } = files;
    let no_certificate = |problem: &str| {
        AddressError::ClientCertificate(format!("{}: {problem}", certificate.display()))
    };
    let no_key = |problem: &str| AddressError::ClientKey(format!("{}: {problem}", key.display()));

    let client_cert = bytes(certificate).map_err(|problem| no_certificate(&problem))?;
    let chain = CertificateDer::pem_slice_iter(&client_cert)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| no_certificate("it is not PEM"))?;
    if chain.is_empty() {
        return Err(no_certificate("it has no certificate"));
    }
    let client_key = bytes(key).map_err(|problem| no_key(&problem))?;
    let private = PrivateKeyDer::from_pem_slice(&client_key)
        .map_err(|_| no_key("it has no private key in PEM that is not encrypted"))?;

    let provider = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| no_key(&error.to_string()))?
        .with_root_certificates(RootCertStore::empty())
        .with_client_auth_cert(chain, private)
        .map_err(|error| {
            if let rustls::Error::InconsistentKeys(_) = error {
                return no_key("it is not the key of the certificate");
            }
            // X.509 version 1, say.
            no_certificate(&format!("it cannot be used ({error})"))
        })?;
    Ok(ClientTlsConfig {
        client_cert,
        client_key,
    })
}

fn bytes(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| error.to_string())
}
