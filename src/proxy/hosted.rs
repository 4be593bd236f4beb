//! Pingora's proxy with connections of our own making, for a listener of our own.
//!
//! A proxy that takes a custom connector can only be made by Pingora's service builder, and a service gives
//! its proxy to nobody but the handler of its connections. So one is built and started for one connection,
//! from us to us, whose handler hands the proxy over.

use std::future::ready;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pingora_core::apps::HttpServerOptions;
use pingora_core::connectors::ConnectorOptions;
use pingora_core::server::Fds;
use pingora_core::server::configuration::ServerConf;
use pingora_core::services::Service;
use pingora_proxy::{HttpProxy, ProcessCustomSession, ProxyServiceBuilder};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::Gateway;
use crate::transport::OneWrite;

/// Pingora's proxy around a gateway.
pub type Proxy = HttpProxy<Gateway, OneWrite>;

/// Makes so many proxies, each with a pool of upstream connections of its own.
///
/// # Errors
/// What the system says when it lets nobody listen or connect on its loopback address, or that it says nothing.
pub async fn proxies(count: usize, conf: &Arc<ServerConf>, gateway: &Gateway) -> io::Result<Vec<Arc<Proxy>>> {
    let connector = OneWrite::new(ConnectorOptions::from_server_conf(conf));
    let mut proxies = Vec::with_capacity(count);
    for _ in 0..count {
        let made = timeout(PATIENCE, proxy(conf, gateway.clone(), connector.clone())).await;
        proxies.push(made.map_err(io::Error::from).flatten().map_err(|error| {
            io::Error::new(error.kind(), format!("127.0.0.1, over which it is set up: {error}"))
        })?);
    }
    Ok(proxies)
}

async fn proxy(conf: &Arc<ServerConf>, gateway: Gateway, connector: OneWrite) -> io::Result<Arc<Proxy>> {
    let (handler, made) = handing_over();
    let mut options = HttpServerOptions::default();
    options.force_custom = true;
    let builder = ProxyServiceBuilder::new(conf, gateway).custom(connector, handler).server_options(options);
    let mut service = builder.build();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let mut listeners = Fds::new();
    listeners.add(address.to_string(), listener.into_raw_fd());
    service.add_tcp(&address.to_string());
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(async move {
        service.start_service(Some(Arc::new(Mutex::new(listeners))), stopped, 1).await;
    });
    let made = async {
        let _knock = TcpStream::connect(address).await?;
        made.await.map_err(io::Error::other)
    };
    let proxy = made.await;
    // A service that came to its end would tell the proxy to stop: it is dropped, and only its listener ends.
    serving.abort();
    let _ = serving.await;
    stop.send_replace(true);
    proxy
}

/// A handler that sends its proxy away, and closes every connection.
fn handing_over() -> (ProcessCustomSession<Gateway, OneWrite>, oneshot::Receiver<Arc<Proxy>>) {
    let (sender, receiver) = oneshot::channel();
    let sender = Mutex::new(Some(sender));
    let handler = move |proxy: Arc<Proxy>, _, _: &_| -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
        if let Some(sender) = sender.lock().take() {
            let _ = sender.send(proxy); // nobody waits any more: the start was given up
        }
        Box::pin(ready(None))
    };
    (Arc::new(handler), receiver)
}

/// A connection within one machine takes less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);
