//! A certificate authority, and a door that speaks TLS before a peer that does not.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};

use super::listener::Listener;

/// Signs certificates that nobody else knows.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// It is somebody else's.
    WrongName,
    /// Its time is over.
    Expired,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the test's own authority");
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("a certificate") }
    }

    /// Its certificate, as `SSL_CERT_FILE` takes it.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A door before `target` with a certificate for `localhost`, but for its flaw.
    pub fn door(&self, target: SocketAddr, flaw: Flaw) -> Listener {
        let name = if flaw == Flaw::WrongName { "elsewhere.example" } else { "localhost" };
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        if flaw == Flaw::Expired {
            (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a certificate and its key");
        let config = Arc::new(config);
        Listener::start(move |tcp, _| serve(tcp, &config, target))
    }
}

/// One request and its answer at a time: bytes go on as they come, whoever closes closes both.
fn serve(mut outer: TcpStream, config: &Arc<ServerConfig>, target: SocketAddr) {
    let Ok(mut tls) = ServerConnection::new(Arc::clone(config)) else { return };
    let Ok(mut inner) = TcpStream::connect(target) else { return };
    let short = Some(Duration::from_millis(2));
    let _ = (outer.set_read_timeout(short), inner.set_read_timeout(short));
    let mut buffer = [0_u8; 16 * 1024];
    loop {
        match tls.read_tls(&mut outer) {
            Ok(0) => break,
            Ok(_) if tls.process_new_packets().is_err() => {
                let _ = tls.write_tls(&mut outer);
                break;
            }
            Ok(_) => {}
            Err(error) if is_wait(&error) => {}
            Err(_) => break,
        }
        while let Ok(length @ 1..) = tls.reader().read(&mut buffer) {
            if inner.write_all(&buffer[..length]).is_err() {
                return;
            }
        }
        match inner.read(&mut buffer) {
            Ok(0) => tls.send_close_notify(),
            Ok(length) => tls.writer().write_all(&buffer[..length]).expect("room"),
            Err(error) if is_wait(&error) => {}
            Err(_) => break,
        }
        while tls.wants_write() {
            if tls.write_tls(&mut outer).is_err() {
                return;
            }
        }
    }
    let _ = (outer.shutdown(Shutdown::Both), inner.shutdown(Shutdown::Both));
}

fn is_wait(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
