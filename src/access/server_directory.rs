//! Which server does this path, name or resource mean? An immutable list, replaced as a whole when servers change.
//!
//! Invariants: names, paths and resources are each unique, so an answer is never a choice. A server that is not enabled
//! is in no answer but [`ServerDirectory::all`]'s.

use crate::access::server::{GuardedServer, ServerName};
use crate::oauth::resource::ResourceUri;
use std::collections::HashMap;
use std::sync::Arc;

/// The guarded servers.
#[derive(Debug, Default)]
pub struct ServerDirectory {
    servers: Vec<Arc<GuardedServer>>,
    by_path: HashMap<String, usize>,
    by_name: HashMap<ServerName, usize>,
    by_resource: HashMap<ResourceUri, usize>,
}

/// Two servers want the same name, path or resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the servers {0} and {1} have the same name or path; rename one of them")]
pub struct SharedPlace(pub ServerName, pub ServerName);

impl ServerDirectory {
    /// A directory of `servers`, in this order.
    pub fn new(servers: impl IntoIterator<Item = impl Into<Arc<GuardedServer>>>) -> Result<Self, SharedPlace> {
        let mut directory = Self::default();
        for server in servers {
            let server: Arc<GuardedServer> = server.into();
            let place = directory.servers.len();
            let others = [
                directory.by_path.insert(server.path.clone(), place),
                directory.by_name.insert(server.name.clone(), place),
                directory.by_resource.insert(server.resource.clone(), place),
            ];
            if let Some(other) = others.into_iter().flatten().next() {
                return Err(SharedPlace(directory.servers[other].name.clone(), server.name.clone()));
            }
            directory.servers.push(server);
        }
        Ok(directory)
    }

    /// The server at exactly this path.
    pub fn by_path(&self, path: &str) -> Option<&Arc<GuardedServer>> {
        self.enabled(self.by_path.get(path))
    }

    /// The server with this name.
    pub fn by_name(&self, name: &ServerName) -> Option<&Arc<GuardedServer>> {
        self.enabled(self.by_name.get(name))
    }

    /// The server that is this resource.
    pub fn by_resource(&self, resource: &ResourceUri) -> Option<&Arc<GuardedServer>> {
        self.enabled(self.by_resource.get(resource))
    }

    /// The server that a client means which names none: the one at `/mcp`, or else the first.
    pub fn default_server(&self) -> Option<&Arc<GuardedServer>> {
        self.by_path("/mcp").or_else(|| self.iter().next())
    }

    /// The servers that answer, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<GuardedServer>> {
        self.servers.iter().filter(|server| server.enabled)
    }

    /// All servers, also those that are not enabled.
    pub fn all(&self) -> impl ExactSizeIterator<Item = &Arc<GuardedServer>> {
        self.servers.iter()
    }

    /// The server with this name, whether it answers or not.
    pub fn named(&self, name: &ServerName) -> Option<&Arc<GuardedServer>> {
        self.by_name.get(name).map(|place| &self.servers[*place])
    }

    /// The server, whether it answers or not, that has the name, path or resource which `newcomer` wants.
    pub fn at_place_of(&self, newcomer: &GuardedServer) -> Option<&Arc<GuardedServer>> {
        let name = self.by_name.get(&newcomer.name);
        let place = name.or_else(|| self.by_path.get(&newcomer.path));
        place.or_else(|| self.by_resource.get(&newcomer.resource)).map(|place| &self.servers[*place])
    }

    fn enabled(&self, place: Option<&usize>) -> Option<&Arc<GuardedServer>> {
        place.map(|place| &self.servers[*place]).filter(|server| server.enabled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::server::ServerKind;
    use crate::oauth::issuer::Issuer;

    fn server(name: &str, main: bool) -> GuardedServer {
        let issuer = Issuer::parse("https://h").unwrap();
        let make = if main { GuardedServer::main } else { GuardedServer::further };
        make(&issuer, ServerName::parse(name).unwrap(), name, ServerKind::Builtin).unwrap()
    }

    #[test]
    fn a_server_is_found_by_path_name_and_resource() {
        let directory = ServerDirectory::new([server("keyward", true), server("files", false)]).unwrap();
        let files = ServerName::parse("files").unwrap();
        assert_eq!(directory.by_path("/mcp/files").unwrap().name, files);
        assert_eq!(directory.by_name(&files).unwrap().path, "/mcp/files");
        let resource = ResourceUri::parse("https://H/mcp/files/").unwrap();
        assert_eq!(directory.by_resource(&resource).unwrap().name, files);
        assert_eq!(directory.iter().map(|server| server.path.as_str()).collect::<Vec<_>>(), ["/mcp", "/mcp/files"]);

        for elsewhere in ["", "/", "/mcp/", "/mcp/files/", "/MCP", "/mcp/other"] {
            assert!(directory.by_path(elsewhere).is_none(), "{elsewhere}");
        }
    }

    #[test]
    fn a_server_that_is_not_enabled_is_not_there() {
        let off = GuardedServer { enabled: false, ..server("files", true) };
        let directory = ServerDirectory::new([off, server("mail", false)]).unwrap();
        let files = ServerName::parse("files").unwrap();
        assert!(directory.by_path("/mcp").is_none() && directory.by_name(&files).is_none());
        assert!(directory.by_resource(&ResourceUri::parse("https://h/mcp").unwrap()).is_none());
        assert_eq!(directory.default_server().unwrap().name.as_str(), "mail");
        assert_eq!((directory.iter().count(), directory.all().count()), (1, 2));
    }

    #[test]
    fn two_servers_do_not_share_a_place() {
        let shared = |first, second| ServerDirectory::new([first, second]).unwrap_err().to_string();
        assert_eq!(
            shared(server("a", true), server("b", true)),
            "the servers a and b have the same name or path; rename one of them"
        );
        assert!(ServerDirectory::new([server("a", true), server("a", false)]).is_err());
    }
}
