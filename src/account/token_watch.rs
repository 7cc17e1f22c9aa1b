//! What has its owner been told of a personal token, and what need they not be told again?

use crate::account::network::UseNetwork;
use crate::account::personal_token::PersonalToken;
use crate::clock::{Timestamp, days};
use crate::id::EventId;
use serde::{Deserialize, Serialize};

/// Networks that are remembered of a token; the one that was new first is forgotten first.
pub const MAX_NETWORKS: usize = 32;
/// So many days before a token expires its owner is told, again each time.
pub const TOLD_BEFORE: [u8; 3] = [1, 7, 30];

/// What is remembered of a personal token beside its row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenWatch {
    /// Where it was used from, oldest first.
    pub networks: Vec<UseNetwork>,
    /// The notice about the last new one.
    pub told: Option<EventId>,
    /// The notice of its expiry that was dismissed last: how many days before it is.
    pub dismissed: Option<u8>,
}

impl TokenWatch {
    /// Remembers these networks; those that are new and that its owner should hear of come back. Where the token was used
    /// the first time is no news.
    pub fn note(&mut self, seen: &[UseNetwork]) -> Vec<UseNetwork> {
        let is_first = self.networks.is_empty();
        let mut new: Vec<_> = seen.iter().copied().filter(|network| !self.networks.contains(network)).collect();
        self.networks.extend(&new);
        let surplus = self.networks.len().saturating_sub(MAX_NETWORKS);
        self.networks.drain(..surplus);
        if is_first && !new.is_empty() {
            new.remove(0);
        }
        new
    }

    /// Which notice of its expiry the owner of `token` should see now.
    pub fn expiry_notice(&self, token: &PersonalToken, now: Timestamp) -> Option<u8> {
        let due = TOLD_BEFORE.into_iter().find(|count| token.ends_within(days((*count).into()), now))?;
        self.dismissed.is_none_or(|dismissed| due < dismissed).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_network_is_told_once_and_the_first_not_at_all() {
        let network = |n| UseNetwork::V4([203, 0, n]);
        let mut watch = TokenWatch::default();
        assert_eq!(watch.note(&[network(1)]), []);
        assert_eq!(watch.note(&[network(1)]), []);
        assert_eq!(watch.note(&[network(1), network(2)]), [network(2)]);
        assert_eq!(watch.note(&[network(2)]), []);
        for n in 3..100 {
            assert_eq!(watch.note(&[network(n)]), [network(n)]);
        }
        assert_eq!(watch.networks.len(), MAX_NETWORKS);
        let mut watch = TokenWatch::default();
        assert_eq!(watch.note(&[network(1), network(2)]), [network(2)], "two at once are one more than the first");
    }
}
