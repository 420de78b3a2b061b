//! The trusted certificate authorities.

use std::fs;
use std::path::Path;

use deadpool_redis::redis::TlsCertificates;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::store::redis::connection::address::AddressError;

/// The system's roots and those in a PEM file: by itself the client library would trust only the file's.
pub(crate) fn read(file: &Path) -> Result<TlsCertificates, AddressError> {
    let refuse = |problem: String| AddressError::CaFile(format!("{}: {problem}", file.display()));
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
    Ok(with_system_roots(own))
}

/// The system's roots, read once: by itself the client library would read them for each connection.
pub(crate) fn system() -> TlsCertificates {
    with_system_roots(Vec::new())
}

fn with_system_roots(mut all: Vec<CertificateDer<'static>>) -> TlsCertificates {
    // The system may have roots that rustls cannot read.
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
