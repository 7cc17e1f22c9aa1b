//! What does an admin enter about a server, and how does it become a description? The form of `new` and of `edit`.
//!
//! Reading only; the domain judges.
//!
//! | File | Question |
//! | --- | --- |
//! | `fields` | Which fields are there, and what stands in them? |
//! | `read` | What do the fields say, and what is wrong with them? |
//! | `secrets` | How does a form carry what it must not show? |

mod fields;
mod read;
mod secrets;

pub use fields::{Fields, Kind, Whose};
pub use read::Problems;
pub use secrets::{Kept, Secrets};

use super::tested::TestResult;
use crate::access::ChildMode;
use crate::web::dashboard::Frame;
use crate::web::extract::SignedIn;
use crate::web::notice::Done;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;

/// `GET` and a refused or tried `POST` of `/dashboard/servers/new` and `…/{name}/edit`.
#[derive(Debug, Template)]
#[template(path = "dashboard/servers/form.html")]
pub struct ServerFormView {
    /// Around the page.
    pub frame: Frame,
    /// The server that is changed; nothing for a new one.
    pub changes: Option<String>,
    /// What is in the fields, without secrets.
    pub fields: Fields,
    /// What is kept for fields that are left empty.
    pub has: Kept,
    /// What is wrong.
    pub problems: Problems,
    /// What came of a test.
    pub test: Option<TestResult>,
    /// Whether a command may be entered.
    pub commands: bool,
}

impl Fields {
    /// The page with these fields.
    pub fn view(
        self,
        state: &WebState,
        admin: &SignedIn,
        changes: Option<String>,
        before: Secrets,
        problems: Problems,
        test: Option<TestResult>,
    ) -> ServerFormView {
        let (fields, has) = self.shown(state, admin.user.id, before);
        ServerFormView {
            frame: Frame::new(state, admin, Done(None)),
            commands: state.app.options().dashboard_commands || fields.kind == Kind::Command,
            changes,
            fields,
            has,
            problems,
            test,
        }
    }
}

#[cfg(test)]
impl ServerFormView {
    pub(crate) fn sample_new() -> Self {
        let (fields, has) = (Fields::default(), Kept::default());
        let (frame, problems) = (Frame::sample(), Problems::default());
        Self { frame, changes: None, fields, has, problems, test: None, commands: false }
    }

    pub(crate) fn sample_refused() -> Self {
        let fields = Fields {
            name: "Files".to_owned(),
            title: "Files <script>".to_owned(),
            url: "unix:/run/mcp.sock".to_owned(),
            whose: Whose::Shared,
            idle_timeout: "0s".to_owned(),
            ..Fields::default()
        };
        let mut problems = Problems::of("url", "Only http:// and https:// can be forwarded to.".to_owned());
        for (part, why) in [
            ("name", "A server’s name has 1 to 63 characters: small letters, digits and hyphens."),
            ("", "There are 200 servers, which is the most. Remove one first."),
            ("credential", "Enter the value."),
            ("idle_timeout", "Must be 1s to 1d."),
            ("users", "“an na” is no user name."),
        ] {
            problems.note(part, why.to_owned());
        }
        Self { fields, problems, commands: true, ..Self::sample_new() }
    }

    pub(crate) fn sample_tested() -> Self {
        let fields =
            Fields { name: "files".to_owned(), url: "http://127.0.0.1:9000/mcp".to_owned(), ..Fields::default() };
        Self { fields, test: Some(TestResult::sample_good()), ..Self::sample_new() }
    }

    pub(crate) fn sample_edit() -> Self {
        let fields = Fields {
            name: "git".to_owned(),
            kind: Kind::Command,
            command: "uvx\nmcp-server-git".to_owned(),
            environment: "TOKEN=".to_owned(),
            scopes: "git:write = git_commit, git_add".to_owned(),
            ..Fields::default()
        };
        let has = Kept { url: true, credential: true };
        let test = Some(TestResult::sample_bad());
        Self { changes: Some("Git".to_owned()), fields, has, test, commands: true, ..Self::sample_new() }
    }
}
