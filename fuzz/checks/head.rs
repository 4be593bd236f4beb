//! The strict check of a request's head. What it accepts `httparse` reads alike, and it keeps the rules that are
//! written here once more, from the list of what other servers let through.

use sluice::wire::{self, FIELD_LIMIT, Framing, HEAD_LIMIT, Head, HeadEnd, Version};

/// Fields in order: name as sent, value without the blanks around it.
type Fields<'a> = Vec<(&'a str, &'a [u8])>;

/// Checks these bytes as the beginning of a connection, and as a head.
pub fn check(bytes: &[u8]) {
    let whole = wire::head_end(bytes, 0);
    assert_eq!(arriving(bytes), whole, "byte by byte");
    for head in [Some(bytes), ended(bytes, whole)].into_iter().flatten() {
        match wire::check(head) {
            Ok(accepted) => sound(head, &accepted),
            Err(fault) => assert!(!fault.message.is_empty() && fault.message.is_ascii()),
        }
    }
}

/// The head, where it has ended.
fn ended(bytes: &[u8], end: HeadEnd) -> Option<&[u8]> {
    let HeadEnd::Complete(length) = end else { return None };
    Some(bytes.get(..length).expect("the end is within what came"))
}

/// What is known when the bytes come in one by one: the first answer counts, no byte after it changes it.
fn arriving(bytes: &[u8]) -> HeadEnd {
    let answers = (1..=bytes.len()).map(|end| wire::head_end(&bytes[..end], end - 1));
    answers.into_iter().find(|answer| *answer != HeadEnd::Incomplete).unwrap_or(HeadEnd::Incomplete)
}

/// An accepted head.
fn sound(head: &[u8], accepted: &Head<'_>) {
    assert_eq!(wire::head_end(head, 0), HeadEnd::Complete(head.len()), "its end is where it was looked for");
    let fields = read_alike(head, accepted);
    lines(head);
    request_line(accepted);
    assert!(fields.len() <= FIELD_LIMIT && head.len() <= HEAD_LIMIT, "within the limits");
    for single in wire::SINGLETONS {
        assert!(all(&fields, single).len() <= 1, "{single} stands once");
    }
    host(&fields, accepted.version);
    framing(&fields, accepted);
    connection(&fields, accepted);
    without_body(head, accepted, &fields);
}

/// `httparse` takes the head and sees the same request in it.
fn read_alike<'a>(head: &'a [u8], accepted: &Head<'_>) -> Fields<'a> {
    let mut storage = [httparse::EMPTY_HEADER; FIELD_LIMIT];
    let mut request = httparse::Request::new(&mut storage);
    let status = request.parse(head).expect("the other parser takes it");
    assert_eq!(status, httparse::Status::Complete(head.len()), "the other parser sees the same end");
    assert_eq!(request.method, Some(accepted.method), "method");
    assert_eq!(request.path, Some(accepted.target), "target");
    assert_eq!(request.version, Some(u8::from(accepted.version == Version::Http11)), "version");
    let fields: Fields<'_> = request.headers.iter().map(|field| (field.name, field.value)).collect();
    let own: Vec<(&[u8], &[u8])> = wire::fields(head).collect();
    let theirs: Vec<_> = fields.iter().map(|(name, value)| (name.as_bytes(), *value)).collect();
    assert_eq!(own, theirs, "fields");
    fields
}

/// Every line ends in CRLF, and no other control character but a tab in a value is there.
fn lines(head: &[u8]) {
    let text = head.strip_suffix(b"\r\n\r\n").expect("an empty line at the end");
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(line.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f)), "a control byte");
        assert!(!line.starts_with(b" ") && !line.starts_with(b"\t"), "a folded line");
    }
    let returns = head.iter().filter(|byte| **byte == b'\r').count();
    assert_eq!(returns, head.windows(2).filter(|pair| pair == b"\r\n").count(), "a CR alone");
    assert_eq!(returns, head.iter().filter(|byte| **byte == b'\n').count(), "an LF alone");
}

fn request_line(accepted: &Head<'_>) {
    let Head { method, target, path, .. } = *accepted;
    assert!(!method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase()), "{method}");
    assert!(!["TRACE", "CONNECT"].contains(&method), "{method}");
    assert!(target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()), "{target}");
    assert!(!target.contains(['#', '\\', '"', '<', '>']), "{target}");
    for after in target.split('%').skip(1) {
        assert!(after.get(..2).is_some_and(|hex| u8::from_str_radix(hex, 16).is_ok()), "{target}");
    }
    assert_eq!(Some(path), target.split('?').next());
}

/// The values of a field, in any case of its name.
fn all<'a>(fields: &Fields<'a>, name: &str) -> Vec<&'a [u8]> {
    fields.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| *value).collect()
}

fn host(fields: &Fields<'_>, version: Version) {
    match all(fields, "host").as_slice() {
        [] => assert_eq!(version, Version::Http10, "no Host"),
        [host] => {
            assert!(!host.is_empty(), "an empty Host");
            let odd = b" \t/\\,?#@%;&=+!$'()*\"<>|^`{}~";
            assert!(host.is_ascii() && !host.iter().any(|byte| odd.contains(byte)), "an odd Host");
        }
        more => panic!("{} Hosts", more.len()),
    }
}

/// One way to tell the body's length, and one that has one meaning.
fn framing(fields: &Fields<'_>, accepted: &Head<'_>) {
    let told = match (all(fields, "content-length").as_slice(), all(fields, "transfer-encoding").as_slice()) {
        ([], []) => Framing::None,
        ([length], []) => {
            assert!(length.iter().all(u8::is_ascii_digit), "a length of digits");
            Framing::Length(std::str::from_utf8(length).expect("digits").parse().expect("a number"))
        }
        ([], [coding]) => {
            assert!(coding.eq_ignore_ascii_case(b"chunked"), "chunked alone");
            assert_eq!(accepted.version, Version::Http11, "chunked in HTTP/1.0");
            Framing::Chunked
        }
        _ => panic!("two lengths"),
    };
    assert_eq!(told, accepted.framing);
    let expected = all(fields, "expect");
    assert!(expected.iter().all(|value| value.eq_ignore_ascii_case(b"100-continue")), "an odd Expect");
    let due = !expected.is_empty() && accepted.version == Version::Http11 && told.announces_body();
    assert_eq!(accepted.expect_continue, due);
}

/// Every `Connection` line is heard.
fn connection(fields: &Fields<'_>, accepted: &Head<'_>) {
    let said = all(fields, "connection").join(&b',').to_ascii_lowercase();
    let says = |word: &[u8]| said.split(|byte| *byte == b',').any(|token| token.trim_ascii() == word);
    let kept = !says(b"close") && (accepted.version == Version::Http11 || says(b"keep-alive"));
    assert_eq!(accepted.keep_alive, kept, "keep-alive");
}

/// The head that goes on to the next reader is the same request, without a body.
fn without_body(head: &[u8], accepted: &Head<'_>, fields: &Fields<'_>) {
    let left = wire::without_framing(head, accepted.keep_alive);
    if fields.len() == FIELD_LIMIT || left.len() > HEAD_LIMIT {
        return; // One more field may be one too many for the check; the next reader takes more.
    }
    let again = wire::check(&left).expect("what goes on would be accepted");
    let wanted = Head { leading: 0, framing: Framing::None, expect_continue: false, ..*accepted };
    assert_eq!(again, wanted);
    for kept in ["host", "content-type", "x-request-id", "authorization"] {
        let nominated = all(fields, "connection").join(&b',').to_ascii_lowercase();
        let mut names = nominated.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        if kept != "authorization" || !names.any(|name| name == kept.as_bytes()) {
            assert_eq!(wire::field(&left, kept), wire::field(head, kept), "{kept}");
        }
    }
}
