//! The system's certificate authorities, looked at before Pingora does: its connectors end the process when they
//! cannot read them, also where nobody is asked over TLS.

use pingora_rustls::{RootCertStore, load_native_certs};

/// Why the authorities cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "the system's certificate authorities cannot be used: {0}; mend or unset SSL_CERT_FILE and SSL_CERT_DIR, \
     or update ca-certificates"
)]
pub struct BadRoots(String);

/// Reads all of them once, as Pingora will. That there are none is no fault: then no certificate is good.
///
/// # Errors
/// A file or directory that cannot be read, or something in it that is no certificate.
pub fn check_roots() -> Result<(), BadRoots> {
    let certificates = load_native_certs().map_err(|error| BadRoots(error.to_string()))?;
    let mut store = RootCertStore::empty();
    for (place, certificate) in (1..).zip(certificates) {
        let added = store.add(certificate);
        added.map_err(|error| BadRoots(format!("certificate {place}: {error}")))?;
    }
    Ok(())
}
