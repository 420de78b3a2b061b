//! Whose certificates are trusted.

use std::fs;
use std::path::Path;

use deadpool_redis::redis::TlsCertificates;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::AddressError;

/// The system's roots and what is in this PEM file: the client would take the file alone.
pub(super) fn with(file: &Path) -> Result<TlsCertificates, AddressError> {
    let refuse =
        |problem: String| AddressError::Authorities(format!("{}: {problem}", file.display()));
    let text = fs::read(file).map_err(|error| refuse(error.to_string()))?;
    let own = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| refuse("it is not PEM".to_owned()))?;
    if own.is_empty() {
        return Err(refuse("it has no certificate".to_owned()));
    }
    // A root that the system has and nobody can read would not help without the file either.
    let system = rustls_native_certs::load_native_certs().certs;
    let all: Vec<_> = own
        .iter()
        .chain(&system)
        .map(|certificate| pem::Pem::new("CERTIFICATE", certificate.as_ref()))
        .collect();
    Ok(TlsCertificates {
        client_tls: None,
        root_cert: Some(pem::encode_many(&all).into_bytes()),
    })
}
