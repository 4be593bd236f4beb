//! The tables of `heads`: what stock Pingora lets through, and neighbours that are sound.

use super::super::support::gateway::CHAT;
use super::{Case, Want};

const BODY: &str = r#"{"messages":[{"role":"user","content":"hi"}],"model":"small"}"#;
pub(super) const FORWARDED: &str =
    r#"{"messages":[{"role":"user","content":"hi"}],"model":"qwen3-coder-7b"}"#;
/// What a smuggler wants to be read as a second request.
pub(super) const SMUGGLED: &str = "GET /v1/models HTTP/1.1\r\nHost: it\r\n\r\n";

const BAD: Want = Want::Refused(400, "invalid_request");
const LARGE: Want = Want::Refused(431, "headers_too_large");
const UNKNOWN: Want = Want::Refused(404, "unknown_path");
const METHOD: Want = Want::Refused(405, "method_not_allowed");
const MEDIA: Want = Want::Refused(415, "unsupported_media_type");
const ASKED: Want = Want::Asked(&[]);

/// A case with these bytes.
fn raw(name: &'static str, bytes: impl Into<Vec<u8>>, want: Want) -> Case {
    Case { name, bytes: bytes.into(), want }
}

/// A sound chat request with this request line.
fn line(name: &'static str, line: &str, want: Want) -> Case {
    raw(name, head(line, &[HOST, JSON, &length()], BODY), want)
}

/// A sound chat request with these fields beside the usual ones.
fn more(name: &'static str, fields: &[&str], want: Want) -> Case {
    let length = length();
    let all = [&[HOST, JSON, length.as_str()], fields].concat();
    raw(name, head(POST, &all, BODY), want)
}

/// A chat request whose body is framed by these fields.
fn framed(name: &'static str, fields: &[&str], body: &str, want: Want) -> Case {
    raw(name, head(POST, &[&[HOST, JSON], fields].concat(), body), want)
}

/// A chat request with this instead of its Host line.
fn hosted(name: &'static str, host: &[&str], want: Want) -> Case {
    let length = length();
    raw(name, head(POST, &[host, &[JSON, length.as_str()]].concat(), BODY), want)
}

const POST: &str = "POST /v1/chat/completions HTTP/1.1";
const HOST: &str = "Host: it";
const JSON: &str = "Content-Type: application/json";
const CHUNKED: &str = "Transfer-Encoding: chunked";

fn length() -> String {
    format!("Content-Length: {}", BODY.len())
}

fn chunked_body() -> String {
    format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len())
}

fn head(line: &str, fields: &[&str], body: &str) -> Vec<u8> {
    format!("{line}\r\n{}\r\n\r\n{body}", fields.join("\r\n")).into_bytes()
}

/// Everything that stock Pingora lets through, and its neighbours that are sound.
pub(super) fn framing() -> Vec<Case> {
    let (length, chunks) = (length(), chunked_body());
    let (long, both) =
        (format!("Content-Length: {}", BODY.len() + SMUGGLED.len()), format!("{chunks}{SMUGGLED}"));
    let list = format!("{length}, {}", BODY.len());
    vec![
        framed("chunked", &[CHUNKED], &chunks, ASKED),
        framed("chunked in capitals", &["TRANSFER-ENCODING: CHUNKED"], &chunks, ASKED),
        framed("length and chunked", &[&length, CHUNKED], &chunks, BAD),
        framed("chunked and length", &[CHUNKED, &length], &chunks, BAD),
        framed("length that swallows a request, and chunked", &[&long, CHUNKED], &both, BAD),
        framed("length 0 and chunked", &["Content-Length: 0", CHUNKED], &both, BAD),
        framed("gzip, chunked", &["Transfer-Encoding: gzip, chunked"], &chunks, BAD),
        framed("identity, chunked", &["Transfer-Encoding: identity, chunked"], &chunks, BAD),
        framed("unknown, chunked", &["Transfer-Encoding: x, chunked"], &chunks, BAD),
        framed("chunked, identity", &["Transfer-Encoding: chunked, identity"], &chunks, BAD),
        framed("chunked, chunked", &["Transfer-Encoding: chunked, chunked"], &chunks, BAD),
        framed("chunked with a parameter", &["Transfer-Encoding: chunked;x=1"], &chunks, BAD),
        framed("quoted chunked", &["Transfer-Encoding: \"chunked\""], &chunks, BAD),
        framed("xchunked", &["Transfer-Encoding: xchunked"], &chunks, BAD),
        framed("identity", &["Transfer-Encoding: identity"], BODY, BAD),
        framed("empty coding", &["Transfer-Encoding:"], &chunks, BAD),
        framed("two transfer codings", &[CHUNKED, CHUNKED], &chunks, BAD),
        framed("two transfer codings that differ", &["Transfer-Encoding: x", CHUNKED], &chunks, BAD),
        framed("vertical tab before chunked", &["Transfer-Encoding: \x0bchunked"], &chunks, BAD),
        framed("space before the colon of a coding", &["Transfer-Encoding : chunked"], &chunks, BAD),
        framed("a coding folded over two lines", &["Transfer-Encoding:\r\n chunked"], &chunks, BAD),
        framed("two lengths that agree", &[&length, &length], BODY, BAD),
        framed("two lengths that differ", &[&length, "Content-Length: 0"], BODY, BAD),
        framed("two lengths in one line", &[&list], BODY, BAD),
        framed("signed length", &["Content-Length: +61"], BODY, BAD),
        framed("negative length", &["Content-Length: -1"], BODY, BAD),
        framed("hexadecimal length", &["Content-Length: 0x3d"], BODY, BAD),
        framed("length with a blank inside", &["Content-Length: 6 1"], BODY, BAD),
        framed("length with a fraction", &["Content-Length: 61.0"], BODY, BAD),
        framed("empty length", &["Content-Length:"], BODY, BAD),
        framed("length of twenty digits", &["Content-Length: 00000000000000000061"], BODY, BAD),
        framed("space before the colon of a length", &["Content-Length : 61"], BODY, BAD),
        framed(
            "a length in disguise is no length",
            &["Content_Length: 5", &length],
            BODY,
            Want::Asked(&[("content_length", "5")]),
        ),
        raw(
            "chunked in HTTP/1.0",
            head("POST /v1/chat/completions HTTP/1.0", &[HOST, JSON, CHUNKED], &chunks),
            BAD,
        ),
        raw(
            "HTTP/1.0 closes",
            head("POST /v1/chat/completions HTTP/1.0", &[HOST, JSON, &length], BODY),
            Want::AskedAndClosed,
        ),
        raw("no length, no body", head(POST, &[HOST, JSON], ""), Want::Declined(400, "invalid_json")),
    ]
}

pub(super) fn lines() -> Vec<Case> {
    let whole = String::from_utf8(head(POST, &[HOST, JSON, &length()], BODY)).expect("text");
    let one_bare = whole.replacen("\r\n", "\n", 1);
    let last_bare = whole.replacen("\r\n\r\n", "\n\n", 1);
    let bare_cr = whole.replacen("Host: it\r\n", "Host: it\rX: 1\r\n", 1);
    let before = |blank: &str| format!("{blank}{whole}");
    vec![
        raw("bare LF behind the request line", one_bare, BAD),
        raw("bare LF at the end", last_bare, BAD),
        raw("bare LF everywhere", whole.replace("\r\n", "\n"), BAD),
        raw("bare CR in a field", bare_cr, BAD),
        raw("one empty line before", before("\r\n"), ASKED),
        raw("two empty lines before", before("\r\n\r\n"), ASKED),
        raw("three empty lines before", before("\r\n\r\n\r\n"), BAD),
        raw("a bare LF before", before("\n"), BAD),
        raw("a blank before", before(" "), BAD),
        raw("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), BAD),
        raw("HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD),
        more("a folded field", &["X-Folded: a", " b"], BAD),
        more("a field without a colon", &["X-None"], BAD),
        more("a field without a name", &[": x"], BAD),
        more("a space in a name", &["X Y: x"], BAD),
        more("a tab before the colon", &["X-Tab\t: x"], BAD),
        more("a parenthesis in a name", &["X(Y): x"], BAD),
        more("NUL in a value", &["X-Nul: a\0b"], BAD),
        more("a control byte in a value", &["X-Bell: a\x07b"], BAD),
        more("DEL in a value", &["X-Del: a\x7fb"], BAD),
        more("a tab in a value", &["X-Tab: a\tb"], Want::Asked(&[("x-tab", "a\tb")])),
        more(
            "bytes beyond ASCII in a value",
            &["X-Name: J\u{fc}rgen"],
            Want::Asked(&[("x-name", "J\u{c3}\u{bc}rgen")]),
        ),
        more("an empty value", &["X-Empty:"], Want::Asked(&[("x-empty", "")])),
    ]
}

pub(super) fn targets() -> Vec<Case> {
    let path = |target: &str| format!("POST {target} HTTP/1.1");
    vec![
        line("a tab in the target", &path("/v1/chat/\tcompletions"), BAD),
        line("a space in the target", &path("/v1/chat completions"), BAD),
        line("NUL in the target", &path("/v1/chat/completions\0"), BAD),
        line("a control byte in the target", &path("/v1/chat/completions\x01"), BAD),
        line("a byte beyond ASCII in the target", &path("/v1/chat/completions\u{e9}"), BAD),
        line("a relative target", &path("v1/chat/completions"), BAD),
        line("an asterisk", "OPTIONS * HTTP/1.1", BAD),
        line("an absolute target", &path("http://it/v1/chat/completions"), BAD),
        line("an absolute target of another host", &path("http://elsewhere/v1/chat/completions"), BAD),
        line("an empty target", &path(""), BAD),
        line("a fragment", &path("/v1/chat/completions#x"), BAD),
        line("a backslash", &path("/v1\\chat/completions"), BAD),
        line("a bad percent escape", &path("/v1/models/%zz"), BAD),
        line("half a percent escape", &path("/v1/chat/completions?x=%2"), BAD),
        line("a percent escape in the path", &path("/v1/chat/%63ompletions"), UNKNOWN),
        line("an escaped slash", &path("/v1%2fchat/completions"), UNKNOWN),
        line("a semicolon", &path("/v1/chat/completions;x=1"), UNKNOWN),
        line("a double slash", &path("//v1/chat/completions"), UNKNOWN),
        line("a double slash inside", &path("/v1//chat/completions"), UNKNOWN),
        line("dot segments", &path("/v1/x/../chat/completions"), UNKNOWN),
        line("a dot segment", &path("/v1/./chat/completions"), UNKNOWN),
        line("escaped dot segments", &path("/v1/x/%2e%2e/chat/completions"), UNKNOWN),
        line("a trailing slash", &path("/v1/chat/completions/"), UNKNOWN),
        line("another case", &path("/V1/Chat/Completions"), UNKNOWN),
        line("what vLLM has besides: invocations", &path("/invocations"), UNKNOWN),
        line("what vLLM has besides: pause", &path("/pause"), UNKNOWN),
        line("what vLLM has besides: sleep", &path("/sleep?level=2"), UNKNOWN),
        line("what vLLM has besides: wake_up", &path("/wake_up"), UNKNOWN),
        line("what vLLM has besides: metrics", "GET /metrics HTTP/1.1", UNKNOWN),
        line("the admin's paths", "PUT /gates/gaming_pc HTTP/1.1", UNKNOWN),
    ]
}

pub(super) fn request_lines() -> Vec<Case> {
    let with = |method: &str, version: &str| format!("{method} {CHAT} {version}");
    vec![
        line("TRACE", &with("TRACE", "HTTP/1.1"), METHOD),
        line("CONNECT", "CONNECT it:443 HTTP/1.1", METHOD),
        line("a method in lower case", &with("post", "HTTP/1.1"), BAD),
        line("a method in mixed case", &with("Post", "HTTP/1.1"), BAD),
        line("a method with a sign", &with("PO-ST", "HTTP/1.1"), BAD),
        line("GET where POST is meant", &with("GET", "HTTP/1.1"), METHOD),
        line("a method of no use here", &with("DELETE", "HTTP/1.1"), METHOD),
        line("HTTP/1.2", &with("POST", "HTTP/1.2"), BAD),
        line("HTTP/2.0", &with("POST", "HTTP/2.0"), BAD),
        line("HTTP/0.9", &format!("POST {CHAT}"), BAD),
        line("http in lower case", &with("POST", "http/1.1"), BAD),
        line("a version too long", &with("POST", "HTTP/1.1.1"), BAD),
        line("two spaces before the target", &format!("POST  {CHAT} HTTP/1.1"), BAD),
        line("two spaces before the version", &format!("POST {CHAT}  HTTP/1.1"), BAD),
        line("a tab for a space", &format!("POST\t{CHAT} HTTP/1.1"), BAD),
        line("a space behind the version", &with("POST", "HTTP/1.1 "), BAD),
    ]
}

pub(super) fn hosts() -> Vec<Case> {
    vec![
        hosted("no Host", &[], BAD),
        hosted("an empty Host", &["Host:"], BAD),
        hosted("two Hosts", &[HOST, HOST], BAD),
        hosted("two Hosts that differ", &[HOST, "Host: elsewhere"], BAD),
        hosted("a space in Host", &["Host: i t"], BAD),
        hosted("a slash in Host", &["Host: it/v1/models"], BAD),
        hosted("a comma in Host", &["Host: it,elsewhere"], BAD),
        hosted("a question mark in Host", &["Host: it?x"], BAD),
        hosted("a number sign in Host", &["Host: it#x"], BAD),
        hosted("an at sign in Host", &["Host: user@it"], BAD),
        hosted("a scheme in Host", &["Host: http://it"], BAD),
        hosted("a port out of range", &["Host: it:65536"], BAD),
        hosted("a port that is none", &["Host: it:http"], BAD),
        hosted("half a literal address", &["Host: [::1"], BAD),
        hosted("space before the colon of Host", &["Host : it"], BAD),
        hosted("a Host with a port", &["Host: it:8080"], ASKED),
        hosted("a literal address", &["Host: [::1]:8080"], ASKED),
    ]
}

pub(super) fn sizes() -> Vec<Case> {
    let filler = |bytes: usize| format!("X-Filler: {}", "x".repeat(bytes));
    let sound = head(POST, &[HOST, JSON, &length(), &filler(0)], "").len();
    let fields = |count: usize| (0..count).map(|number| format!("X-{number}: x")).collect::<Vec<_>>();
    let with_fields = |count: usize| {
        let fields = fields(count - 3);
        let fields: Vec<_> = fields.iter().map(String::as_str).collect();
        let length = length();
        head(POST, &[&[HOST, JSON, length.as_str()], fields.as_slice()].concat(), BODY)
    };
    let filled = |bytes: usize| head(POST, &[HOST, JSON, &length(), &filler(bytes - sound)], BODY);
    vec![
        raw("a head of 16 KiB and a byte", filled((16 << 10) + 1), LARGE),
        raw("a head of 64 KiB", filled(64 << 10), LARGE),
        raw("a head of 900 kB", filled(900_000), LARGE),
        raw("a head without an end", format!("{POST}\r\n{}", filler(40_000)), LARGE),
        raw("a target without an end", format!("GET /{}", "x".repeat(20_000)), LARGE),
        raw("101 fields", with_fields(101), LARGE),
        raw("256 fields", with_fields(256), LARGE),
    ]
}

pub(super) fn meanings() -> Vec<Case> {
    vec![
        more("another expectation", &["Expect: 200-maybe"], BAD),
        more("two expectations", &["Expect: 100-continue", "Expect: 100-continue"], BAD),
        more("two media types", &["Content-Type: text/plain"], BAD),
        more("two keys", &["Authorization: Bearer a", "Authorization: Bearer b"], BAD),
        more("two ids", &["X-Request-Id: a", "X-Request-Id: b"], BAD),
        more("gzip", &["Content-Encoding: gzip"], MEDIA),
        more("brotli", &["Content-Encoding: br"], MEDIA),
        more("identity and gzip", &["Content-Encoding: identity, gzip"], MEDIA),
        raw(
            "a form",
            head(POST, &[HOST, "Content-Type: application/x-www-form-urlencoded", &length()], BODY),
            MEDIA,
        ),
        raw("plain text", head(POST, &[HOST, "Content-Type: text/plain", &length()], BODY), MEDIA),
        raw("no Content-Type", head(POST, &[HOST, &length()], BODY), MEDIA),
        raw(
            "a GET with a body",
            head("GET /v1/models HTTP/1.1", &[HOST, "Content-Length: 5"], "hello"),
            Want::Own,
        ),
        raw("health", head("GET /health HTTP/1.1", &[HOST], ""), Want::Own),
    ]
}

pub(super) fn forwarding() -> Vec<Case> {
    let own = |fields: &'static [(&'static str, &'static str)]| Want::Asked(fields);
    vec![
        more("nothing more", &[], ASKED),
        more("identity", &["Content-Encoding: identity"], own(&[("content-encoding", "identity")])),
        more("others go on", &["X-Mine: 1", "Accept: */*"], own(&[("x-mine", "1"), ("accept", "*/*")])),
        more("twice the same", &["X-Mine: 1", "x-mine: 2"], own(&[("x-mine", "1"), ("x-mine", "2")])),
        more("a key", &["Authorization: Bearer secret"], ASKED),
        more(
            "Anthropic's key",
            &["x-api-key: secret", "anthropic-version: 1"],
            own(&[("anthropic-version", "1")]),
        ),
        more("a cookie", &["Cookie: a=b"], ASKED),
        more("a proxy's key", &["Proxy-Authorization: Basic eA==", "Proxy-Connection: keep-alive"], ASKED),
        more("keep-alive", &["Connection: keep-alive", "Keep-Alive: timeout=5"], ASKED),
        more("a nominated field", &["Connection: X-Hop", "X-Hop: 1", "X-Stays: 1"], own(&[("x-stays", "1")])),
        more(
            "two lines that nominate",
            &["Connection: X-One", "Connection: X-Two", "X-One: 1", "X-Two: 2"],
            ASKED,
        ),
        more("nominated in a list", &["Connection: keep-alive, X-Hop", "X-Hop: 1"], ASKED),
        more("a nominated length stays one", &["Connection: Content-Length"], ASKED),
        more("a nominated host stays one", &["Connection: Host"], ASKED),
        more("trailers", &["TE: trailers", "Trailer: X-End"], ASKED),
        more(
            "a websocket",
            &["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
            own(&[("sec-websocket-version", "13")]),
        ),
        more(
            "h2c",
            &["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ"],
            ASKED,
        ),
        more("an expectation met by the body", &["Expect: 100-continue"], ASKED),
        more("sluice's own names", &["X-Sluice-Backend: big", "X-Sluice-Rule: mine"], ASKED),
        more("codings", &["Accept-Encoding: gzip, br"], ASKED),
        more("a browser's origin", &["Origin: http://elsewhere"], ASKED),
        more("a close asked for", &["Connection: close"], Want::AskedAndClosed),
        more(
            "a close asked for in a second line",
            &["Connection: keep-alive", "Connection: close"],
            Want::AskedAndClosed,
        ),
    ]
}
