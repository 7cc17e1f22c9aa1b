//! In which browsers is somebody signed in? Lists a user's sessions, ends one, ends all others.

use crate::account::session::Session;
use crate::account::user::User;
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::second_factor::remove_half_sessions_of;
use crate::app::sign_in::remove_session;
use crate::event::{Event, EventKind};
use crate::id::{SessionId, UserId};
use crate::store::tables::{SESSIONS, SESSIONS_BY_USER};
use crate::store::{Reads, Scan};

impl App {
    /// The sessions of a user that are good, the one that was seen last first.
    pub fn sessions(&self, user: &User) -> Result<Vec<Session>, OperationError> {
        let (now, policy) = (self.now(), self.options.sessions);
        let mut sessions = self.store.read(|tx| {
            let mut sessions = Vec::new();
            for (_, id) in tx.keys(SESSIONS_BY_USER, Scan::prefix(&user.id))? {
                sessions.extend(tx.get(SESSIONS, &id)?.map(|session| self.with_latest_visit(session)));
            }
            Ok::<_, OperationError>(sessions)
        })?;
        sessions.retain(|session| session.is_good_for(user, now, &policy));
        sessions.sort_by_key(|session| std::cmp::Reverse((session.seen_at, session.id)));
        Ok(sessions)
    }

    /// How many browsers the user is signed in with.
    pub fn session_count(&self, user: &User) -> Result<usize, OperationError> {
        Ok(self.sessions(user)?.len())
    }

    /// Ends one session of a user.
    pub fn end_session(&self, user: UserId, id: SessionId) -> Result<(), OperationError> {
        let pen = self.pen();
        self.store.write(move |tx| {
            if tx.get(SESSIONS, &id)?.is_none_or(|session| session.user != user) {
                return Err(OperationError::NotFound("session"));
            }
            pen.write(tx, Event::of(EventKind::SessionsEnded).by(user).about(user).session(id).times(1))?;
            remove_session(tx, id)
        })
    }

    /// Ends all sessions of a user except `keep`.
    pub fn sign_out_others(&self, user: UserId, keep: SessionId) -> Result<usize, OperationError> {
        let pen = self.pen();
        self.store.write(move |tx| {
            remove_half_sessions_of(tx, user)?;
            let mut ended = 0;
            for (_, id) in tx.keys(SESSIONS_BY_USER, Scan::prefix(&user))? {
                if id != keep {
                    remove_session(tx, id)?;
                    ended += 1;
                }
            }
            if ended > 0 {
                let times = u32::try_from(ended).unwrap_or(u32::MAX);
                pen.write(tx, Event::of(EventKind::SessionsEnded).by(user).about(user).times(times))?;
            }
            Ok(ended)
        })
    }
}
