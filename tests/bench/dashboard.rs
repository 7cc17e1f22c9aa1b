//! How long does a page of the audit log take, and does it grow with the log? The operations behind the pages, on a real
//! appliance in memory, with few lines and with a million.

use keyward::access::ServerName;
use keyward::account::user::User;
use keyward::app::App;
use keyward::app::events::{Called, EventFilter, EventPlace, PAGE};
use keyward::clock::hours;
use keyward::config::{Given, load};
use keyward::entropy::OsEntropy;
use keyward::event::{CallOutcome, EventClass};
use keyward::id::{GrantId, TokenId};
use keyward::oauth::client::ClientId;
use keyward::serve::Appliance;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Calls that are put at once: what the queue holds.
const AT_ONCE: usize = 4_000;
/// Times that each page is asked for.
const TIMES: usize = 21;

/// A log of calls, one a second up to now.
pub struct Log {
    appliance: Appliance,
    user: User,
    clients: Vec<ClientId>,
    lines: usize,
}

/// A page, and how long it takes at the median.
pub type Row = (&'static str, Duration);

impl Log {
    /// Without a line of a call.
    pub fn empty() -> Self {
        let variables = vec![("KEYWARD_LISTEN".to_owned(), "127.0.0.1:0".to_owned())];
        let appliance = Appliance::in_memory(load(Given { variables, ..Given::default() }).unwrap()).unwrap();
        let user = appliance.app().seed_admin("bench", "four quiet random words").unwrap();
        let now = appliance.app().now();
        let clients = (0..50).map(|_| ClientId::generate(now, &OsEntropy)).collect();
        Self { appliance, user, clients, lines: 0 }
    }

    fn app(&self) -> &App {
        self.appliance.app()
    }

    /// Adds calls until there are so many.
    pub fn fill(&mut self, lines: usize) {
        let (app, began) = (Arc::clone(self.appliance.app()), self.app().now() - hours(24 * 30));
        let live = app.live().user(self.user.id).unwrap();
        let servers: Vec<_> = (0..20).map(|n| ServerName::parse(&format!("server-{n}")).unwrap()).collect();
        let (token, grant) = (TokenId::generate(began, &OsEntropy), GrantId::generate(began, &OsEntropy));
        while self.lines < lines {
            for _ in 0..AT_ONCE.min(lines - self.lines) {
                let n = self.lines;
                app.live().calls().called(Called {
                    at: began + Duration::from_secs(n as u64),
                    millis: 12,
                    user: (self.user.id, Arc::clone(&live)),
                    token,
                    // One client in a thousand calls is rare.
                    connection: Some((self.clients[if n % 1_000 == 7 { 0 } else { 1 + n % 49 }].clone(), grant)),
                    server: servers[n % servers.len()].clone(),
                    tool: "write_file".into(),
                    outcome: CallOutcome::Answered,
                    address: Some([203, 0, 113, 7].into()),
                });
                self.lines += 1;
            }
            app.flush_events().unwrap();
        }
    }

    /// How long pages take.
    pub fn measure(&self) -> Vec<Row> {
        let (app, user) = (self.app(), Some(self.user.id));
        let all = EventFilter::default();
        let middle = app.now() - hours(24 * 30) + Duration::from_secs(self.lines as u64 / 2);
        let rare = EventFilter { client: Some(self.clients[0].to_string()), ..all.clone() };
        let filters = [
            ("newest page of all", all.clone()),
            ("a page in the middle", EventFilter { until: Some(middle), ..all.clone() }),
            ("of one person", EventFilter { user, ..all.clone() }),
            ("of one person, sign-ins (there are none)", EventFilter { user, class: Some(EventClass::SignIns), ..all }),
            ("of one rare client", rare.clone()),
            (
                "of person, rare client, server and kind together",
                EventFilter { user, server: Some("server-7".into()), class: Some(EventClass::Calls), ..rare },
            ),
        ];
        let time = |filter: &EventFilter| {
            let began = Instant::now();
            app.events(filter, EventPlace::Newest, PAGE).unwrap();
            began.elapsed()
        };
        filters.iter().map(|(name, filter)| (*name, crate::median((0..TIMES).map(|_| time(filter))))).collect()
    }

    /// How long it takes to read the whole log, as an export does.
    pub fn export(&self) -> Duration {
        let (began, mut place) = (Instant::now(), EventPlace::Newest);
        while let Some(older) = self.app().events(&EventFilter::default(), place, 500).unwrap().older {
            place = EventPlace::OlderThan(older);
        }
        began.elapsed()
    }
}
