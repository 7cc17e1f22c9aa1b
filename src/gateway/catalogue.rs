//! Which tools say that they change nothing, and which arguments do they want repeated in headers? Remembered from what the servers themselves answer to `tools/list`.
//!
//! Per server and user, because a server may show everybody other tools; users who are shown the same share one list. Read
//! without a lock. What was heard holds for [`FRESH`] after the first page, until the server says that its tools have
//! changed. Bounded in lists, names and bytes. Invariant: what does not fit, is too old or was never heard of counts as
//! not read-only; so forgetting is always safe. What another edition of a server told counts for nothing.
//!
//! Beside that, what was told last is kept for people to look at ([`Catalogue::told`]); nothing is decided by it.

use crate::access::{Effect, GuardedServer, ServerName};
use crate::clock::{Timestamp, minutes};
use crate::id::UserId;
use crate::mcp::Mirrored;
use crate::wire::server_insight::{HeardTool, Hints, MAX_TOOLS, ToolsHeard};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long a list holds.
pub(super) const FRESH: Duration = minutes(5);
/// Most lists.
const MAX_LISTS: usize = 2_048;
/// Most bytes of names in one list.
const MAX_BYTES: usize = 64 * 1024;
/// Longest name that is remembered, in bytes.
const MAX_NAME: usize = 256;
/// Most lists that are kept to be looked at.
const MAX_SHOWN: usize = 512;

/// One page of a server's list.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// The tools on it.
    pub(super) tools: Vec<(String, Effect)>,
    /// Those of them that want arguments repeated in headers.
    pub(super) mirrored: Vec<(String, Vec<Mirrored>)>,
    /// What they say of themselves besides, of as many as are looked at.
    pub(super) told: Vec<HeardTool>,
    /// The next page's cursor, as JSON; none on the last.
    pub(super) next: Option<String>,
}

/// What is known of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// The server's list tells it.
    As(Effect),
    /// The server's list was not heard whole, or too long ago: it may be asked.
    Unheard,
}

/// What servers have told of their tools.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    /// Under no user: the newest list of the server, to be shared.
    lists: papaya::HashMap<(ServerName, Option<UserId>), Heard>,
    /// To be looked at: with the edition of the server that told it.
    shown: papaya::HashMap<(ServerName, Option<UserId>), (u64, Arc<ToolsHeard>)>,
}

#[derive(Debug, Clone)]
struct Heard {
    edition: u64,
    read_only: Arc<BTreeSet<String>>,
    mirrored: Arc<BTreeMap<String, Vec<Mirrored>>>,
    /// Whether the last page was heard as well.
    whole: bool,
    since: Timestamp,
}

impl Catalogue {
    /// What the tool `name` is known to do for `user`.
    pub(super) fn effect_of(&self, server: &GuardedServer, user: UserId, name: &str, now: Timestamp) -> Known {
        let lists = self.lists.pin();
        match lists.get(&(server.name.clone(), Some(user))).filter(|heard| heard.holds(server, now)) {
            Some(heard) if heard.read_only.contains(name) => Known::As(Effect::ReadOnly),
            Some(heard) if heard.whole => Known::As(Effect::Any),
            _ => Known::Unheard,
        }
    }

    /// Which arguments of the tool `name` are repeated in headers; nothing if its server's list was not heard.
    pub(super) fn mirrored(
        &self,
        server: &GuardedServer,
        user: UserId,
        name: &str,
        now: Timestamp,
    ) -> Option<Vec<Mirrored>> {
        let lists = self.lists.pin();
        let heard = lists.get(&(server.name.clone(), Some(user))).filter(|heard| heard.holds(server, now))?;
        heard.mirrored.get(name).cloned().or_else(|| heard.whole.then(Vec::new))
    }

    /// Remembers a page that `server` showed `user`. `first` says that it was asked for without a cursor.
    pub(super) fn learn(&self, server: &GuardedServer, user: UserId, page: &Page, first: bool, now: Timestamp) {
        self.show(server, user, page, first, now);
        let (own, shared) = ((server.name.clone(), Some(user)), (server.name.clone(), None));
        let lists = self.lists.pin();
        let before = lists.get(&own).filter(|heard| !first && heard.holds(server, now));
        let (mut names, mut mirrored, since) = match before {
            Some(heard) => (BTreeSet::clone(&heard.read_only), BTreeMap::clone(&heard.mirrored), heard.since),
            // A later page alone: the rest was never heard.
            None => (BTreeSet::new(), BTreeMap::new(), now),
        };
        let mut bytes: usize = names.iter().map(String::len).sum();
        bytes += mirrored.iter().map(|(name, arguments)| size_of_mirrored(name, arguments)).sum::<usize>();
        for (name, effect) in &page.tools {
            match effect {
                Effect::ReadOnly if name.len() <= MAX_NAME && bytes + name.len() <= MAX_BYTES => {
                    bytes += name.len();
                    names.insert(name.clone());
                }
                _ => {
                    names.remove(name);
                }
            }
        }
        for (name, arguments) in &page.mirrored {
            let size = size_of_mirrored(name, arguments);
            if name.len() <= MAX_NAME && bytes + size <= MAX_BYTES {
                bytes += size;
                mirrored.insert(name.clone(), arguments.clone());
            }
        }
        let whole = page.next.is_none() && (first || before.is_some());
        let same = lists.get(&shared).filter(|heard| *heard.read_only == names && *heard.mirrored == mirrored);
        let (read_only, mirrored) = match same {
            Some(heard) => (Arc::clone(&heard.read_only), Arc::clone(&heard.mirrored)),
            None => (Arc::new(names), Arc::new(mirrored)),
        };
        let heard = Heard { edition: server.edition, read_only, mirrored, whole, since };
        if lists.len() + 2 > MAX_LISTS {
            lists.retain(|_, heard| heard.is_fresh(now));
            if lists.len() + 2 > MAX_LISTS {
                lists.clear();
            }
        }
        lists.insert(shared, heard.clone());
        lists.insert(own, heard);
    }

    /// Forgets what a server told, because its tools have changed.
    pub(super) fn forget(&self, server: &ServerName) {
        self.lists.pin().retain(|(name, _), _| name != server);
    }

    /// What `server` told last of its tools: to `user`, or to anybody.
    pub(super) fn told(&self, server: &GuardedServer, user: Option<UserId>) -> Option<Arc<ToolsHeard>> {
        let shown = self.shown.pin();
        let (edition, heard) = shown.get(&(server.name.clone(), user))?;
        (*edition == server.edition).then(|| Arc::clone(heard))
    }

    /// Keeps what `server` told of its tools when `user` asked apart from any client.
    pub(super) fn note(&self, server: &GuardedServer, user: UserId, heard: &ToolsHeard) {
        self.keep(server, user, &Arc::new(heard.clone()));
    }

    /// Keeps a page to be looked at.
    fn show(&self, server: &GuardedServer, user: UserId, page: &Page, first: bool, now: Timestamp) {
        let before = self.told(server, Some(user));
        let mut tools = match &before {
            Some(before) if !first => before.tools.clone(),
            _ => Vec::new(),
        };
        let names = page.tools.iter().filter(|(name, _)| name.len() <= MAX_NAME);
        let bare = names.map(|(name, effect)| {
            let before = before.iter().flat_map(|before| &before.tools);
            let known = page.told.iter().chain(before).find(|tool| tool.name == *name);
            let (title, hints) = known.map_or((None, Hints::default()), |tool| (tool.title.clone(), tool.hints));
            HeardTool { name: name.clone(), title, effect: *effect, hints }
        });
        let fits = MAX_TOOLS.saturating_sub(tools.len());
        let whole = page.next.is_none() && page.tools.len() <= fits;
        tools.extend(bare.take(fits));
        self.keep(server, user, &Arc::new(ToolsHeard { at: now, whole, tools }));
    }

    fn keep(&self, server: &GuardedServer, user: UserId, heard: &Arc<ToolsHeard>) {
        let shown = self.shown.pin();
        if shown.len() + 2 > MAX_SHOWN {
            shown.clear();
        }
        for key in [Some(user), None] {
            shown.insert((server.name.clone(), key), (server.edition, Arc::clone(heard)));
        }
    }
}

fn size_of_mirrored(name: &str, arguments: &[Mirrored]) -> usize {
    name.len() + arguments.iter().map(Mirrored::size).sum::<usize>()
}

impl Heard {
    fn holds(&self, server: &GuardedServer, now: Timestamp) -> bool {
        self.edition == server.edition && self.is_fresh(now)
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.since) < FRESH
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::ServerKind;
    use crate::oauth::issuer::Issuer;
    use Effect::{Any, ReadOnly};
    use Known::{As, Unheard};

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_400_000);
    const ANNA: UserId = UserId::from_bytes([1; 16]);
    const BEN: UserId = UserId::from_bytes([2; 16]);

    fn page(tools: &[(&str, Effect)], next: Option<&str>) -> Page {
        let tools = tools.iter().map(|(name, effect)| ((*name).to_owned(), *effect)).collect();
        Page { tools, next: next.map(str::to_owned), ..Page::default() }
    }

    fn name(text: &str) -> GuardedServer {
        let (issuer, name) = (Issuer::parse("https://h").unwrap(), ServerName::parse(text).unwrap());
        GuardedServer::further(&issuer, name, text, ServerKind::Builtin).unwrap()
    }

    #[test]
    fn a_list_is_remembered_page_by_page_for_the_one_who_was_shown_it() {
        let (catalogue, files) = (Catalogue::default(), name("files"));
        let known = |user, tool| catalogue.effect_of(&files, user, tool, NOW);
        assert_eq!(known(ANNA, "read"), Unheard);

        catalogue.learn(&files, ANNA, &page(&[("read", ReadOnly), ("write", Any)], Some("\"2\"")), true, NOW);
        assert_eq!((known(ANNA, "read"), known(ANNA, "write")), (As(ReadOnly), Unheard), "there are more pages");
        catalogue.learn(&files, ANNA, &page(&[("stat", ReadOnly)], None), false, NOW);
        assert_eq!((known(ANNA, "stat"), known(ANNA, "write"), known(ANNA, "x")), (As(ReadOnly), As(Any), As(Any)));
        assert_eq!((known(BEN, "read"), catalogue.effect_of(&name("mail"), ANNA, "read", NOW)), (Unheard, Unheard));

        catalogue.learn(&files, BEN, &page(&[("stat", ReadOnly)], None), false, NOW);
        assert_eq!((known(BEN, "stat"), known(BEN, "read")), (As(ReadOnly), Unheard), "the first page is missing");
        catalogue.learn(&files, ANNA, &page(&[("read", Any)], None), true, NOW);
        assert_eq!((known(ANNA, "read"), known(ANNA, "stat")), (As(Any), As(Any)), "a new list replaces the old");
    }

    #[test]
    fn a_list_is_forgotten_when_it_is_old_or_has_changed() {
        let (catalogue, files) = (Catalogue::default(), name("files"));
        let list = page(&[("read", ReadOnly)], None);
        catalogue.learn(&files, ANNA, &list, true, NOW);
        assert_eq!(catalogue.effect_of(&files, ANNA, "read", NOW + FRESH - minutes(1)), As(ReadOnly));
        assert_eq!(catalogue.effect_of(&files, ANNA, "read", NOW + FRESH), Unheard);
        catalogue.learn(&name("mail"), ANNA, &list, true, NOW);
        catalogue.forget(&files.name);
        assert_eq!(catalogue.effect_of(&files, ANNA, "read", NOW), Unheard);
        assert_eq!(catalogue.effect_of(&name("mail"), ANNA, "read", NOW), As(ReadOnly));
    }

    #[test]
    fn what_another_edition_told_counts_for_nothing() {
        let (catalogue, files) = (Catalogue::default(), name("files"));
        catalogue.learn(&files, ANNA, &page(&[("wipe", ReadOnly)], None), true, NOW);
        let changed = GuardedServer { edition: 2, ..files.clone() };
        assert_eq!(catalogue.effect_of(&changed, ANNA, "wipe", NOW), Unheard);
        assert!(catalogue.told(&changed, None).is_none() && catalogue.told(&files, None).is_some());
        catalogue.learn(&changed, ANNA, &page(&[("stat", ReadOnly)], None), false, NOW);
        assert_eq!(catalogue.effect_of(&changed, ANNA, "wipe", NOW), Unheard, "pages of two editions make no list");
    }

    #[test]
    fn what_was_told_last_can_be_looked_at_by_whom_it_was_told() {
        let (catalogue, files) = (Catalogue::default(), name("files"));
        let hints = Hints { destructive: Some(true), ..Hints::default() };
        let tool = HeardTool { name: "write".to_owned(), title: Some("Write".to_owned()), effect: Any, hints };
        catalogue.note(&files, ANNA, &ToolsHeard { at: NOW, whole: true, tools: vec![tool.clone()] });
        catalogue.learn(&files, ANNA, &page(&[("write", Any), ("read", ReadOnly)], Some("2")), true, NOW);
        catalogue.learn(&files, ANNA, &page(&[("stat", ReadOnly)], None), false, NOW + minutes(1));
        let told = catalogue.told(&files, Some(ANNA)).unwrap();
        assert_eq!(told.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["write", "read", "stat"]);
        assert_eq!((&told.tools[0], told.whole), (&tool, true), "what a list alone does not tell is still known");
        assert!(catalogue.told(&files, Some(BEN)).is_none() && catalogue.told(&files, None).is_some());
        let many: Vec<_> = (0..1_000).map(|n| (n.to_string(), Any)).collect();
        catalogue.learn(&files, ANNA, &Page { tools: many, ..Page::default() }, true, NOW);
        let told = catalogue.told(&files, None).unwrap();
        assert_eq!((told.tools.len(), told.whole), (MAX_TOOLS, false));
    }

    #[test]
    fn users_who_are_shown_the_same_share_a_list() {
        let (catalogue, files) = (Catalogue::default(), name("files"));
        for user in [ANNA, BEN] {
            catalogue.learn(&files, user, &page(&[("read", ReadOnly)], None), true, NOW);
        }
        let lists = catalogue.lists.pin();
        let of = |user| Arc::clone(&lists.get(&(files.name.clone(), Some(user))).unwrap().read_only);
        assert!(Arc::ptr_eq(&of(ANNA), &of(BEN)));
    }

    #[test]
    fn a_flood_is_bounded_and_what_does_not_fit_is_not_read_only() {
        let (catalogue, files) = (Catalogue::default(), name("files"));
        let many: Vec<_> = (0..2_000).map(|n| (format!("tool-{n:0>60}"), ReadOnly)).collect();
        catalogue.learn(&files, ANNA, &Page { tools: many.clone(), ..Page::default() }, true, NOW);
        assert_eq!(catalogue.effect_of(&files, ANNA, &many[0].0, NOW), As(ReadOnly));
        assert_eq!(catalogue.effect_of(&files, ANNA, &many[1_999].0, NOW), As(Any));
        let long = "x".repeat(MAX_NAME + 1);
        catalogue.learn(&files, ANNA, &page(&[(&long, ReadOnly)], None), true, NOW);
        assert_eq!(catalogue.effect_of(&files, ANNA, &long, NOW), As(Any));
        for n in 0..=u16::try_from(MAX_LISTS).unwrap() {
            let mut bytes = [9; 16];
            bytes[..2].copy_from_slice(&n.to_be_bytes());
            catalogue.learn(&files, UserId::from_bytes(bytes), &page(&[("x", ReadOnly)], None), true, NOW);
        }
        assert!(catalogue.lists.pin().len() <= MAX_LISTS);
    }
}
