//! Which files do pages load? The ones in `assets/`, embedded, under URLs that hold the hash of their content.
//!
//! `app.css` is served as `/assets/app.<hash>.css` and never changes there, so that browsers keep it for good and a new
//! release is seen at once. Any other name is 404.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

#[derive(Embed)]
#[folder = "assets/"]
struct Files;

struct Assets {
    by_path: HashMap<String, EmbeddedFile>,
    urls: HashMap<String, String>,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let mut assets = Assets { by_path: HashMap::new(), urls: HashMap::new() };
    for name in Files::iter() {
        let file = Files::get(&name).expect("the list names what is embedded");
        let path = hashed_path(&name, &file.metadata.sha256_hash());
        assets.urls.insert(name.into_owned(), format!("/assets/{path}"));
        assets.by_path.insert(path, file);
    }
    assets
});

/// `app.css` → `app.0123456789abcdef.css`.
fn hashed_path(name: &str, hash: &[u8; 32]) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
    let mut path = format!("{stem}.");
    for byte in &hash[..8] {
        let _ = write!(path, "{byte:02x}");
    }
    path + "." + extension
}

/// The URL of the style sheet.
pub fn style() -> &'static str {
    url("app.css")
}

/// The URL of the script.
pub fn script() -> &'static str {
    url("app.js")
}

/// The URL of the icon in the browser's tab.
pub fn icon() -> &'static str {
    url("icons/key.svg")
}

fn url(name: &str) -> &'static str {
    ASSETS.urls.get(name).map_or("", String::as_str)
}

/// `GET /assets/{*path}`.
pub async fn show(Path(path): Path<String>) -> Response {
    let Some(file) = ASSETS.by_path.get(&path) else {
        return (StatusCode::NOT_FOUND, "There is no such file.\n").into_response();
    };
    let headers = [
        (CONTENT_TYPE, content_type(&path)),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, axum::body::Bytes::from(file.data.clone().into_owned())).into_response()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Response {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(show(Path(path.to_owned())))
    }

    #[test]
    fn a_file_is_served_under_its_hash_for_good() {
        for (url, kind) in [
            (style(), "text/css; charset=utf-8"),
            (script(), "text/javascript; charset=utf-8"),
            (icon(), "image/svg+xml"),
        ] {
            let response = get(url.strip_prefix("/assets/").unwrap());
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()[CONTENT_TYPE], kind);
            assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
        }
    }

    #[test]
    fn every_other_name_is_not_found() {
        for path in ["app.css", "app.0000000000000000.css", "", "../Cargo.toml", "icons/"] {
            let response = get(path);
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            assert!(!response.headers().contains_key(CACHE_CONTROL));
        }
    }
}
