//! `GET /` and what it loads: the dashboard, part of the binary.
//!
//! The page loads nothing from elsewhere and holds no secret, so it asks for no token; what it then calls does.
//! Scripts and style are files of their own because the answers' Content-Security-Policy allows nothing inline.

use bytes::Bytes;

use super::Answer;

/// A file of the dashboard.
struct File {
    path: &'static str,
    media_type: &'static str,
    text: &'static str,
}

/// The file at this path, where it is one of the dashboard's.
pub(super) fn file(path: &str) -> Option<Answer> {
    let file = find(path)?;
    let body = Bytes::from_static(file.text.as_bytes());
    Some(Answer { status: 200, media_type: file.media_type, body })
}

/// Whether this path is the dashboard's.
pub(super) fn serves(path: &str) -> bool {
    find(path).is_some()
}

fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

const FILES: &[File] = &[
    File { path: "/", media_type: "text/html; charset=utf-8", text: include_str!("../../../web/index.html") },
    File {
        path: "/dashboard.js",
        media_type: "text/javascript; charset=utf-8",
        text: include_str!("../../../web/dashboard.js"),
    },
    File {
        path: "/dashboard-cards.js",
        media_type: "text/javascript; charset=utf-8",
        text: include_str!("../../../web/dashboard-cards.js"),
    },
    File {
        path: "/dashboard-nodes.js",
        media_type: "text/javascript; charset=utf-8",
        text: include_str!("../../../web/dashboard-nodes.js"),
    },
    File {
        path: "/dashboard-words.js",
        media_type: "text/javascript; charset=utf-8",
        text: include_str!("../../../web/dashboard-words.js"),
    },
    File {
        path: "/dashboard.css",
        media_type: "text/css; charset=utf-8",
        text: include_str!("../../../web/dashboard.css"),
    },
    File {
        path: "/dashboard.svg",
        media_type: "image/svg+xml",
        text: include_str!("../../../web/dashboard.svg"),
    },
];
