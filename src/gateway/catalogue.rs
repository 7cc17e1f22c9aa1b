//! Which tools say that they change nothing, and which arguments do they want repeated in headers? Remembered from what the servers themselves answer to `tools/list`.
//!
//! Per server and user, because a server may show everybody other tools; users who are shown the same share one list. Read
//! without a lock. What was heard holds for [`FRESH`] after the first page, until the server says that its tools have
//! changed. Bounded in lists, names and bytes. Invariant: what does not fit, is too old or was never heard of counts as
//! not read-only; so forgetting is always safe.

use crate::access::{Effect, ServerName};
use crate::clock::{Timestamp, minutes};
use crate::id::UserId;
use crate::mcp::Mirrored;
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

/// One page of a server's list.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// The tools on it.
    pub(super) tools: Vec<(String, Effect)>,
    /// Those of them that want arguments repeated in headers.
    pub(super) mirrored: Vec<(String, Vec<Mirrored>)>,
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
}

#[derive(Debug, Clone)]
struct Heard {
    read_only: Arc<BTreeSet<String>>,
    mirrored: Arc<BTreeMap<String, Vec<Mirrored>>>,
    /// Whether the last page was heard as well.
    whole: bool,
    since: Timestamp,
}

impl Catalogue {
    /// What the tool `name` is known to do for `user`.
    pub(super) fn effect_of(&self, server: &ServerName, user: UserId, name: &str, now: Timestamp) -> Known {
        let lists = self.lists.pin();
        match lists.get(&(server.clone(), Some(user))).filter(|heard| heard.is_fresh(now)) {
            Some(heard) if heard.read_only.contains(name) => Known::As(Effect::ReadOnly),
            Some(heard) if heard.whole => Known::As(Effect::Any),
            _ => Known::Unheard,
        }
    }

    /// Which arguments of the tool `name` are repeated in headers; nothing if its server's list was not heard.
    pub(super) fn mirrored(
        &self,
        server: &ServerName,
        user: UserId,
        name: &str,
        now: Timestamp,
    ) -> Option<Vec<Mirrored>> {
        let lists = self.lists.pin();
        let heard = lists.get(&(server.clone(), Some(user))).filter(|heard| heard.is_fresh(now))?;
        heard.mirrored.get(name).cloned().or_else(|| heard.whole.then(Vec::new))
    }

    /// Remembers a page that `server` showed `user`. `first` says that it was asked for without a cursor.
    pub(super) fn learn(&self, server: &ServerName, user: UserId, page: &Page, first: bool, now: Timestamp) {
        let (own, shared) = ((server.clone(), Some(user)), (server.clone(), None));
        let lists = self.lists.pin();
        let before = lists.get(&own).filter(|heard| !first && heard.is_fresh(now));
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
        let heard = Heard { read_only, mirrored, whole, since };
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
}

fn size_of_mirrored(name: &str, arguments: &[Mirrored]) -> usize {
    name.len() + arguments.iter().map(Mirrored::size).sum::<usize>()
}

impl Heard {
    fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.since) < FRESH
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Effect::{Any, ReadOnly};
    use Known::{As, Unheard};

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_400_000);
    const ANNA: UserId = UserId::from_bytes([1; 16]);
    const BEN: UserId = UserId::from_bytes([2; 16]);

    fn page(tools: &[(&str, Effect)], next: Option<&str>) -> Page {
        let tools = tools.iter().map(|(name, effect)| ((*name).to_owned(), *effect)).collect();
        Page { tools, next: next.map(str::to_owned), ..Page::default() }
    }

    fn name(text: &str) -> ServerName {
        ServerName::parse(text).unwrap()
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
        catalogue.forget(&files);
        assert_eq!(catalogue.effect_of(&files, ANNA, "read", NOW), Unheard);
        assert_eq!(catalogue.effect_of(&name("mail"), ANNA, "read", NOW), As(ReadOnly));
    }

    #[test]
    fn users_who_are_shown_the_same_share_a_list() {
        let (catalogue, files) = (Catalogue::default(), name("files"));
        for user in [ANNA, BEN] {
            catalogue.learn(&files, user, &page(&[("read", ReadOnly)], None), true, NOW);
        }
        let lists = catalogue.lists.pin();
        let of = |user| Arc::clone(&lists.get(&(files.clone(), Some(user))).unwrap().read_only);
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
