//! Whether a body says that it is JSON.

/// Whether a `Content-Type` is `application/json`, in any case and with any parameters. Not `+json`
/// types: no API that is served here has one, and a web page may send none of these without asking.
pub fn is_json(value: &str) -> bool {
    let essence = value.split_once(';').map_or(value, |(essence, _)| essence);
    essence.trim_matches([' ', '\t']).eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::is_json;

    #[test]
    fn json_in_every_spelling() {
        for value in [
            "application/json",
            "Application/JSON",
            " application/json\t",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "application/json ; x=\"a;b\"",
            "application/json;",
        ] {
            assert!(is_json(value), "{value:?}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for value in [
            "",
            ";",
            "json",
            "application",
            "application/jsonp",
            "application/json5",
            "application/ json",
            "application/problem+json",
            "text/json",
            "text/plain",
            "text/plain; application/json",
            "text/plain, application/json",
            "application/json, text/plain",
            "multipart/form-data; boundary=application/json",
            "\u{a0}application/json",
            "application/json\u{0}",
        ] {
            assert!(!is_json(value), "{value:?}");
        }
    }
}
