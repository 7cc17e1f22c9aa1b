//! By which revision of the protocol does this request speak, and do its headers agree with its body?
//!
//! MCP 2026-07-28, Streamable HTTP: a request is *modern* if its body says so (`params._meta`), whatever the headers say;
//! then the headers must say the same, because somebody on the way may have acted on them. Everything else is *legacy*.
//! A modern header without the claim is a malformed modern request, never a legacy one. A legacy message needs no headers
//! that repeat it; where they are there, they must not say anything else.

use crate::mcp::error::{RpcError, quote};
use crate::mcp::jsonrpc::{self, Notification, Params, Request};
use crate::mcp::members;
use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The one modern revision.
pub const MODERN: &str = "2026-07-28";
/// The legacy revisions, the newest first.
pub const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
/// The only revision with batches, and what a request without a version header is taken for.
const WITH_BATCHES: &str = "2025-03-26";

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// A generation of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// 2026-07-28.
    Modern,
    /// 2025-11-25 and before.
    Legacy,
}

/// The parts of a request's parameters that are looked at before its method is known to exist.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head<'a> {
    meta: Option<&'a RawValue>,
    name: Option<&'a RawValue>,
    uri: Option<&'a RawValue>,
    arguments: Option<&'a RawValue>,
}

impl<'a> Head<'a> {
    /// Reads the parameters of a message.
    pub(super) fn read(params: Params<'a>) -> Result<Self, RpcError> {
        let names = ["_meta", "name", "uri", "arguments"];
        let [meta, name, uri, arguments] =
            members::read(params.as_json(), names).map_err(|_| RpcError::invalid_params(DOUBLED))?;
        Ok(Self { meta, name, uri, arguments })
    }

    /// `params.name`, if it is a string.
    pub(super) fn name(&self) -> Option<Cow<'a, str>> {
        jsonrpc::string(self.name?.get())
    }

    /// `params.arguments` as JSON text.
    pub(super) fn arguments(&self) -> Option<&'a str> {
        self.arguments.map(RawValue::get)
    }

    fn uri(&self) -> Option<Cow<'a, str>> {
        jsonrpc::string(self.uri?.get())
    }

    fn meta(&self) -> Result<Meta<'a>, RpcError> {
        let Some(meta) = self.meta.map(RawValue::get) else { return Ok(Meta::default()) };
        let names = ["io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities"];
        let [version, capabilities] = members::read(meta, names)
            .map_err(|_| RpcError::invalid_meta("The member \"_meta\" must be an object without doubled members."))?;
        Ok(Meta { version, capabilities })
    }

    /// What the `Mcp-Name` header repeats of a request of this method.
    fn named(&self, method: &str) -> Option<Cow<'a, str>> {
        match method {
            "tools/call" | "prompts/get" => self.name(),
            "resources/read" => self.uri(),
            _ => None,
        }
    }
}

const DOUBLED: &str =
    "A member of \"params\" is doubled, or its name differs from one that counts in letter case only.";

#[derive(Debug, Default)]
struct Meta<'a> {
    version: Option<&'a RawValue>,
    capabilities: Option<&'a RawValue>,
}

/// The era of a request, after all that may be wrong with it because of its era.
pub(super) fn of_request(headers: &HeaderMap, request: &Request<'_>, head: &Head<'_>) -> Result<Era, RpcError> {
    let meta = head.meta()?;
    let header = single(headers, &VERSION)?;
    let header_is_modern = header.is_some_and(is_modern);
    if meta.version.is_none() {
        return match (header, &*request.method) {
            (Some(version), "initialize") if header_is_modern => {
                let message =
                    format!("Revision {version} has no initialize: the Mcp-Protocol-Version header is wrong.");
                Err(RpcError::header_mismatch(message))
            }
            (Some(version), _) if header_is_modern => Err(RpcError::invalid_meta(format!(
                "A request of revision {version} needs io.modelcontextprotocol/protocolVersion and \
                 io.modelcontextprotocol/clientCapabilities in params._meta."
            ))),
            (_, "initialize") | (None, _) => Ok(()),
            (Some(version), _) => legacy(version),
        }
        .and_then(|()| agree_if_present(headers, &request.method, head))
        .map(|()| Era::Legacy);
    }
    let version = meta.version.and_then(|raw| jsonrpc::string(raw.get())).ok_or_else(|| {
        RpcError::invalid_meta("In params._meta, io.modelcontextprotocol/protocolVersion must be a string.")
    })?;
    if !meta.capabilities.is_some_and(|raw| raw.get().starts_with('{')) {
        let message = "In params._meta, io.modelcontextprotocol/clientCapabilities must be there and be an object.";
        return Err(RpcError::invalid_meta(message));
    }
    agree(&VERSION, header, &version)?;
    agree(&METHOD, single(headers, &METHOD)?, &request.method)?;
    if let Some(named) = head.named(&request.method) {
        let header = single(headers, &NAME)?.map(|value| decode(&NAME, value)).transpose()?;
        agree(&NAME, header.as_deref(), &named)?;
    }
    if version == MODERN { Ok(Era::Modern) } else { Err(RpcError::unsupported_version(&version)) }
}

/// The era of a notification, after all that may be wrong with it because of its era; it gets no answer either way.
pub(super) fn of_notification(
    headers: &HeaderMap,
    notification: &Notification<'_>,
    head: &Head<'_>,
) -> Result<Era, RpcError> {
    let header = single(headers, &VERSION)?;
    let claim = head.meta()?.version.map(|raw| jsonrpc::string(raw.get()));
    let era = match (claim, header) {
        (Some(None), _) => {
            let message = "In params._meta, io.modelcontextprotocol/protocolVersion must be a string.";
            return Err(RpcError::invalid_meta(message));
        }
        (Some(Some(version)), header) => {
            if header.is_some_and(|header| header != version) {
                agree(&VERSION, header, &version)?;
            }
            Era::Modern
        }
        (None, Some(header)) if is_modern(header) => Era::Modern,
        (None, Some(header)) => legacy(header).map(|()| Era::Legacy)?,
        (None, None) => Era::Legacy,
    };
    agree_if_present(headers, &notification.method, head)?;
    Ok(era)
}

/// What may be wrong with an answer to a request of the server's because of its headers: it has no method and no name.
pub(super) fn check_response(headers: &HeaderMap) -> Result<(), RpcError> {
    names_nothing(headers)
}

/// Whether a batch may be sent under these headers.
pub(super) fn check_batch(headers: &HeaderMap) -> Result<(), RpcError> {
    names_nothing(headers)?;
    match single(headers, &VERSION)? {
        None | Some(WITH_BATCHES) => Ok(()),
        Some(version) => {
            let version = quote(version);
            Err(RpcError::invalid_request(format!("Revision {version} has no batches: send one message at a time.")))
        }
    }
}

/// The legacy revision to answer `initialize` with: the one asked for, or else the newest.
pub(super) fn negotiate(requested: &str) -> &'static str {
    LEGACY.into_iter().find(|known| *known == requested).unwrap_or(LEGACY[0])
}

/// Headers of the modern era in a message that need not have them: somebody on the way may act on them all the same.
fn agree_if_present(headers: &HeaderMap, method: &str, head: &Head<'_>) -> Result<(), RpcError> {
    if let Some(header) = single(headers, &METHOD)? {
        agree(&METHOD, Some(header), method)?;
    }
    match single(headers, &NAME)?.map(|value| decode(&NAME, value)).transpose()? {
        Some(header) => agree(&NAME, Some(&header), head.named(method).as_deref().unwrap_or_default()),
        None => Ok(()),
    }
}

/// Where there is no one method that the headers could name.
fn names_nothing(headers: &HeaderMap) -> Result<(), RpcError> {
    match [&METHOD, &NAME].into_iter().find(|name| headers.contains_key(*name)) {
        Some(name) => Err(RpcError::header_mismatch(format!("The {name} header has no place here."))),
        None => Ok(()),
    }
}

fn legacy(version: &str) -> Result<(), RpcError> {
    if LEGACY.contains(&version) {
        return Ok(());
    }
    let version = quote(version);
    Err(RpcError::invalid_request(format!(
        "The Mcp-Protocol-Version header names {version}; this server speaks {MODERN}, {}.",
        LEGACY.join(", ")
    )))
}

/// Revisions are dates, so later ones are greater texts.
fn is_modern(version: &str) -> bool {
    let shape = |(place, byte): (usize, u8)| if matches!(place, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    version.len() == MODERN.len() && version.bytes().enumerate().all(shape) && version >= MODERN
}

/// The only header of this name, if there is one.
pub(super) fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, RpcError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text.trim_matches([' ', '\t']))),
            Err(_) => {
                Err(RpcError::header_mismatch(format!("The {name} header has characters that it must not have.")))
            }
        },
        (Some(_), Some(_)) => Err(RpcError::header_mismatch(format!("There is more than one {name} header."))),
    }
}

fn agree(name: &HeaderName, header: Option<&str>, body: &str) -> Result<(), RpcError> {
    match header {
        Some(value) if value == body => Ok(()),
        Some(_) => Err(RpcError::header_mismatch(format!("The {name} header and the body do not say the same."))),
        None => Err(RpcError::header_mismatch(format!("The {name} header is missing."))),
    }
}

/// Undoes `=?base64?…?=`, which carries what a header cannot.
pub(super) fn decode<'v>(name: &HeaderName, value: &'v str) -> Result<Cow<'v, str>, RpcError> {
    let Some(encoded) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Ok(Cow::Borrowed(value));
    };
    let bytes = STANDARD.decode(encoded).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let invalid = || RpcError::header_mismatch(format!("The {name} header is not valid Base64 of UTF-8."));
    text.map(Cow::Owned).ok_or_else(invalid)
}

#[cfg(test)]
mod tests;
