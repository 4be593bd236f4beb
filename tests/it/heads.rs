//! Requests as raw bytes: which are refused before anything else, and what of the others the upstream receives.

use super::support::client::Client;
use super::support::gateway::{CHAT, Gateway};

mod cases;

use cases::{
    FORWARDED, SMUGGLED, forwarding, framing, hosts, lines, meanings, request_lines, sizes, targets,
};

/// What the client's request must come to.
#[derive(Debug, Clone)]
enum Want {
    /// This status and code, the connection closed, nothing sent upstream.
    Refused(u16, &'static str),
    /// This status and code, nothing sent upstream; the framing was sound, so the connection goes on.
    Declined(u16, &'static str),
    /// 200 from the backend, which received exactly one request, with these fields beside sluice's own; the
    /// connection goes on.
    Asked(&'static [(&'static str, &'static str)]),
    /// 200 from the backend, and the connection is closed.
    AskedAndClosed,
    /// sluice's own 200; nothing sent upstream.
    Own,
}

struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    want: Want,
}

/// Sends one case and looks at everything that may come of it; what was wrong.
fn tried(gateway: &Gateway, case: &Case) -> Result<(), String> {
    let before = gateway.house.requests();
    let mut client = gateway.client();
    // a server that refuses midway may close before all was sent
    let _ = client.try_send(&case.bytes);
    let Some(mut response) = client.try_head() else { return Err("closed without an answer".to_owned()) };
    while response.status == 100 {
        response = client.try_head().ok_or("closed behind a 100")?;
    }
    while client.piece(&mut response).is_some() {}
    let code = response.code().unwrap_or_default();
    let asked = gateway.house.requests() - before;
    let got = format!("{} {code:?}, {asked} requests upstream: {}", response.status, response.text());
    let (status, code_wanted, upstream) = match case.want {
        Want::Refused(status, code) | Want::Declined(status, code) => (status, code, 0),
        Want::Asked(_) | Want::AskedAndClosed => (200, "", 1),
        Want::Own => (200, "", 0),
    };
    if (response.status, code.as_str(), asked) != (status, code_wanted, upstream) {
        return Err(got);
    }
    match &case.want {
        Want::Refused(..) => closed(gateway, &mut client, before)?,
        Want::AskedAndClosed => closed(gateway, &mut client, before + 1)?,
        Want::Asked(fields) => {
            received(gateway, fields)?;
            goes_on(&mut client)?;
        }
        Want::Own | Want::Declined(..) => goes_on(&mut client)?,
    }
    if response.header("x-request-id").is_none() {
        return Err("no x-request-id".to_owned());
    }
    Ok(())
}

/// The connection ends without a second answer, and nobody was asked more.
fn closed(gateway: &Gateway, client: &mut Client, asked: usize) -> Result<(), String> {
    if !client.is_closed() {
        return Err("the connection is not closed".to_owned());
    }
    let more = gateway.house.requests() - asked;
    if more > 0 { Err(format!("{more} requests more")) } else { Ok(()) }
}

/// The next request on the connection is read from its first byte.
fn goes_on(client: &mut Client) -> Result<(), String> {
    client.try_send(SMUGGLED.as_bytes()).map_err(|error| error.to_string())?;
    match client.try_head() {
        Some(head) if head.status == 200 => Ok(()),
        other => Err(format!("the next request on the connection: {other:?}")),
    }
}

/// The last request that `small` received is built, and not copied.
fn received(gateway: &Gateway, more: &[(&str, &str)]) -> Result<(), String> {
    let requests = gateway.house.small.requests();
    let request = requests.last().ok_or("it went elsewhere")?;
    let own = gateway.house.small.addr().to_string();
    let length = FORWARDED.len().to_string();
    let usual =
        [("host", own.as_str()), ("content-type", "application/json"), ("content-length", length.as_str())];
    let mut wanted: Vec<_> = usual.iter().chain(more).copied().collect();
    let mut got: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    got.retain(|(name, _)| *name != "x-request-id");
    wanted.sort_unstable();
    got.sort_unstable();
    let ids = request.headers.len() - got.len();
    let first = format!("{} {}", request.method, request.path);
    let same =
        got == wanted && ids == 1 && first == format!("POST {CHAT}") && request.body == FORWARDED.as_bytes();
    if same { Ok(()) } else { Err(format!("it received {:?}", String::from_utf8_lossy(&request.head))) }
}

#[track_caller]
fn all_hold(cases: &[Case]) {
    let gateway = Gateway::start();
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|case| {
            let error = tried(&gateway, case).err()?;
            Some(format!("{}: {:?} wanted; {error}", case.name, case.want))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn framings_that_two_readers_read_differently_are_refused() {
    all_hold(&framing());
}

#[test]
fn lines_and_fields_are_exact() {
    all_hold(&lines());
}

#[test]
fn targets_are_taken_as_they_are_or_not_at_all() {
    all_hold(&targets());
}

#[test]
fn request_lines_are_exact() {
    all_hold(&request_lines());
}

#[test]
fn a_host_is_a_host() {
    all_hold(&hosts());
}

#[test]
fn heads_are_bounded() {
    all_hold(&sizes());
}

#[test]
fn what_is_said_twice_or_coded_is_refused() {
    all_hold(&meanings());
}

#[test]
fn the_upstream_head_is_built_and_not_copied() {
    all_hold(&forwarding());
}
