//! Whose certificates are trusted.

use std::fs;
use std::path::Path;

use deadpool_redis::redis::TlsCertificates;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::store::redis::AddressError;

/// The system's roots and what is in this PEM file: the client would take the file alone.
pub(in crate::store::redis) fn with(file: &Path) -> Result<TlsCertificates, AddressError> {
    let refuse =
        |problem: String| AddressError::Authorities(format!("{}: {problem}", file.display()));
    let text = fs::read(file).map_err(|error| refuse(error.to_string()))?;
    let own = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| refuse("it is not PEM".to_owned()))?;
    if own.is_empty() {
        return Err(refuse("it has no certificate".to_owned()));
    }
    if !own.iter().all(is_usable) {
        return Err(refuse("a certificate in it cannot be read".to_owned()));
    }
    Ok(besides_the_systems(own))
}

/// The system's roots, read once: the client itself would read them for each connection.
pub(in crate::store::redis) fn of_the_system() -> TlsCertificates {
    besides_the_systems(Vec::new())
}

fn besides_the_systems(mut all: Vec<CertificateDer<'static>>) -> TlsCertificates {
    // A root that the system has and nobody can read would not help either.
    let system = rustls_native_certs::load_native_certs().certs;
    all.extend(system.into_iter().filter(is_usable));
    let all: Vec<_> = all
        .iter()
        .map(|certificate| pem::Pem::new("CERTIFICATE", certificate.as_ref()))
        .collect();
    TlsCertificates {
        client_tls: None,
        root_cert: Some(pem::encode_many(&all).into_bytes()),
    }
}

fn is_usable(certificate: &CertificateDer<'static>) -> bool {
    RootCertStore::empty().add(certificate.clone()).is_ok()
}
