//! Head and body on their way to a model server.

use std::pin::pin;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};

use super::*;

fn connected(room: usize) -> (UpstreamStream, DuplexStream) {
    let (ours, theirs) = duplex(room);
    (UpstreamStream::new(Box::new(ours)).unwrap(), theirs)
}

async fn write(stream: &mut UpstreamStream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
    stream.flush().await.unwrap();
}

#[tokio::test]
async fn a_head_goes_out_with_its_body_and_alone_where_it_has_none() {
    let (mut stream, mut server) = connected(1024);
    let mut space = [0; 1024];
    for _ in 0..2 {
        write(&mut stream, b"POST / HTTP/1.1\r\nContent-LENGTH: 5\r\n\r\n").await;
        assert!(nothing_comes(&mut server, &mut space).await, "the head waits");
        write(&mut stream, b"he").await;
        let read = server.read(&mut space).await.unwrap();
        assert!(space[..read].ends_with(b"\r\n\r\nhe"));
        write(&mut stream, b"llo").await;
        assert_eq!(server.read(&mut space).await.unwrap(), 3);
        let alone = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
        write(&mut stream, alone).await;
        assert_eq!(server.read(&mut space).await.unwrap(), alone.len());
    }
}

async fn nothing_comes(server: &mut DuplexStream, space: &mut [u8]) -> bool {
    let mut read = pin!(server.read(space));
    std::future::poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx).is_pending())).await
}

proptest! {
    #[test]
    fn every_byte_arrives_in_order_however_little_is_taken(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..5),
        handed in prop::collection::vec(prop::collection::vec(0_usize..300, 0..12), 5),
        room in 1_usize..200,
        piece in 1_usize..200,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (sent, received) = runtime.block_on(async {
            let (mut stream, mut server) = connected(room);
            let digest = digest_of(&stream);
            let reading = tokio::spawn(async move {
                let mut all = Vec::new();
                server.read_to_end(&mut all).await.unwrap();
                all
            });
            let mut sent = Vec::new();
            for (body, cuts) in bodies.iter().zip(&handed) {
                let head = format!("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: {}\r\n\r\n", body.len());
                sent.extend_from_slice(head.as_bytes());
                sent.extend_from_slice(body);
                let stand_in = OneWrite::hand_over(Some(&digest), &cut(body, cuts));
                write(&mut stream, head.as_bytes()).await;
                for piece in stand_in.as_deref().unwrap_or(body).chunks(piece) {
                    write(&mut stream, piece).await;
                }
            }
            drop(stream);
            (sent, reading.await.unwrap())
        });
        prop_assert_eq!(sent, received);
    }
}

/// `body` cut at these places, as far as it has them.
fn cut(body: &[u8], places: &[usize]) -> Vec<Bytes> {
    let mut places: Vec<usize> =
        places.iter().copied().filter(|place| (1..body.len()).contains(place)).collect();
    places.extend([0, body.len()]);
    places.sort_unstable();
    places.dedup();
    places.windows(2).map(|ends| Bytes::copy_from_slice(&body[ends[0]..ends[1]])).collect()
}

/// What a connection's user gets to hand its body over.
fn digest_of(stream: &UpstreamStream) -> Digest {
    Digest { proxy_digest: stream.get_proxy_digest(), ..Digest::default() }
}

fn pieces(bodies: &[&'static str]) -> Vec<Bytes> {
    bodies.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect()
}

#[tokio::test]
async fn a_body_in_one_piece_is_given_to_pingora_and_one_in_several_to_the_connection() {
    let (stream, _server) = connected(16);
    let digest = digest_of(&stream);
    assert_eq!(OneWrite::hand_over(Some(&digest), &pieces(&["whole"])), None);
    let stand_in = OneWrite::hand_over(Some(&digest), &pieces(&["in ", "two"])).unwrap();
    assert_eq!(stand_in, vec![0; 6]);
    assert_eq!(
        OneWrite::hand_over(Some(&Digest::default()), &pieces(&["in ", "two"])),
        None,
        "made elsewhere"
    );
    let large = vec![Bytes::from_static(&STAND_IN[1..]); 2];
    assert_eq!(OneWrite::hand_over(Some(&digest), &large), None, "larger than what stands in for it");
    assert!(stream.handover.body.lock().is_empty());
}

/// Should a body ever be missing where Pingora writes what stands for it, no server gets that.
#[tokio::test]
async fn a_stand_in_is_never_sent() {
    let (mut stream, mut server) = connected(1024);
    let digest = digest_of(&stream);
    let head = b"POST / HTTP/1.1\r\ncontent-length: 8\r\n\r\n";
    let stand_in = OneWrite::hand_over(Some(&digest), &pieces(&["in ", "two"])).unwrap();
    assert_eq!(
        stream.write_all(&stand_in).await.unwrap_err().kind(),
        io::ErrorKind::InvalidData,
        "as a head"
    );
    assert_eq!(OneWrite::hand_over(Some(&digest), &pieces(&["whole"])), None);
    write(&mut stream, head).await;
    assert_eq!(
        stream.write_all(&stand_in).await.unwrap_err().kind(),
        io::ErrorKind::InvalidData,
        "as a body"
    );
    assert!(nothing_comes(&mut server, &mut [0; 8]).await);
}

#[tokio::test]
async fn nothing_of_an_exchange_that_broke_off_is_sent_with_the_next() {
    let (mut stream, mut server) = connected(1024);
    let digest = digest_of(&stream);
    let head = b"POST / HTTP/1.1\r\ncontent-length: 8\r\n\r\n";
    let mut space = [0; 1024];

    OneWrite::hand_over(Some(&digest), &pieces(&["secret", "ly"])).unwrap();
    write(&mut stream, head).await;
    write(&mut stream, &[0; 5]).await;
    let read = server.read(&mut space).await.unwrap();
    assert!(space[..read].ends_with(b"\r\n\r\nsecre"));

    assert_eq!(OneWrite::hand_over(Some(&digest), &pieces(&["in plain"])), None);
    write(&mut stream, head).await;
    write(&mut stream, b"in plain").await;
    let read = server.read(&mut space).await.unwrap();
    assert_eq!(&space[..read], b"POST / HTTP/1.1\r\ncontent-length: 8\r\n\r\nin plain");
}
