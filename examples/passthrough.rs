//! A bare Pingora pass-through, to compare with: no reading, no rules, one upstream.
//!
//! `cargo run --release --example passthrough -- LISTEN UPSTREAM` (both `host:port`)

use std::net::SocketAddr;

use async_trait::async_trait;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::Result;
use pingora_proxy::{ProxyHttp, Session};

struct PassThrough {
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for PassThrough {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is what the strict listener is compared with")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(listen), Some(upstream)) = (words.next(), words.next()) else {
        return Err("usage: passthrough LISTEN UPSTREAM".into());
    };
    let conf = ServerConf { threads: 2, upstream_keepalive_pool_size: 1024, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let app = PassThrough { upstream: upstream.parse()? };
    let mut service = pingora_proxy::http_proxy_service(&server.configuration, app);
    service.add_tcp(&listen);
    server.add_service(service);
    server.run_forever()
}
