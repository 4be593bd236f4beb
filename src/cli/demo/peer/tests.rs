//! A running peer, over the wire.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

const STREAM: &str = r#"{"stream":true,"max_tokens":4,"messages":[{"role":"user","content":"Hi"}]}"#;

fn start() -> Peer {
    Peer::start(PeerKind::Language { model: "tiny".to_owned(), context: 4096 }, Arc::default()).unwrap()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(20), test).await.expect("the test hangs");
    });
}

fn chat(body: &str) -> String {
    format!("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Reads until `end` has come; what came.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut came = Vec::new();
    while !String::from_utf8_lossy(&came).ends_with(end) {
        assert!(
            stream.read_buf(&mut came).await.unwrap() > 0,
            "closed after {}",
            String::from_utf8_lossy(&came)
        );
    }
    String::from_utf8(came).unwrap()
}

#[test]
fn a_connection_serves_streams_and_probes_in_turn() {
    run(async {
        let peer = start();
        let mut stream = TcpStream::connect(peer.addr()).await.unwrap();
        for _ in 0..2 {
            stream.write_all(chat(STREAM).as_bytes()).await.unwrap();
            let answer = read_until(&mut stream, "0\r\n\r\n").await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.contains("data: [DONE]\n\n"), "{answer}");
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            assert!(read_until(&mut stream, "\r\n\r\n").await.contains("content-length: 0\r\n"));
        }
    });
}

#[test]
fn words_come_one_by_one() {
    run(async {
        let peer = start();
        let mut stream = TcpStream::connect(peer.addr()).await.unwrap();
        let begun = Instant::now();
        stream.write_all(chat(STREAM).as_bytes()).await.unwrap();
        read_until(&mut stream, "\n\n\r\n").await;
        let first = begun.elapsed();
        read_until(&mut stream, "0\r\n\r\n").await;
        // a role, four words and the end: five pauses
        assert!(begun.elapsed() >= first + WORD * 4, "{first:?} and all after {:?}", begun.elapsed());
    });
}

#[test]
fn chunked_bodies_pipelined_requests_and_expect_are_understood() {
    run(async {
        let peer = start();
        let mut stream = TcpStream::connect(peer.addr()).await.unwrap();
        let body = r#"{"prompt":"over the weir"}"#;
        let (one, two) = body.split_at(9);
        let request = format!(
            "POST /tokenize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n\
             {:x}\r\n{one}\r\n{:x};a=b\r\n{two}\r\n0\r\ntrailer: 1\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n",
            one.len(),
            two.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let answers = read_until(&mut stream, "\"0.32.0\"}").await;
        assert!(answers.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{answers}");
        assert!(answers.contains("\"count\":3,"), "{answers}");
    });
}

#[test]
fn a_client_that_leaves_stops_its_stream() {
    run(async {
        let peer = start();
        let mut stream = TcpStream::connect(peer.addr()).await.unwrap();
        stream.write_all(chat(STREAM).as_bytes()).await.unwrap();
        read_until(&mut stream, "\n\n\r\n").await;
        stream.shutdown().await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert!(!rest.contains("[DONE]"), "{rest}");
    });
}

#[test]
fn a_dropped_peer_leaves_nothing_running() {
    run(async {
        let peer = start();
        let addr = peer.addr();
        let mut stream = TcpStream::connect(addr).await.unwrap();
        drop(peer);
        assert!(matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_)));
        let refused = TcpStream::connect(addr).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn without_a_runtime_it_is_an_error() {
    let kind = PeerKind::Speech { model: "voice".to_owned() };
    assert!(Peer::start(kind, Arc::default()).is_err());
}

#[test]
fn asked_in_its_sleep_it_dies_and_its_health_shows_it() {
    run(async {
        let peer = start();
        let ask = async |request: &str, end: &str| {
            let mut stream = TcpStream::connect(peer.addr()).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            if end.is_empty() {
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.unwrap();
                return String::from_utf8(rest).unwrap();
            }
            read_until(&mut stream, end).await
        };
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        ask("POST /sleep?level=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "{}").await;
        assert!(ask(&get("/is_sleeping"), "}").await.ends_with(r#"{"is_sleeping":true}"#));
        assert!(ask(&get("/health"), "\r\n\r\n").await.starts_with("HTTP/1.1 200"), "asleep is not dead");
        assert_eq!(ask(&chat(r#"{"messages":[]}"#), "").await, "", "it dies of this");
        assert_eq!(ask(&get("/health"), "").await, "");
    });
}
