//! Does every page keep the rules that hold for all of them? Renders each view's samples and reads the markup.
//!
//! With `KEYWARD_SAMPLES=DIR` the pages are also written there, to be looked at in a browser.

use crate::web::connect::ConnectView;
use crate::web::dashboard::access::AccessView;
use crate::web::dashboard::check::CheckView;
use crate::web::dashboard::clients::*;
use crate::web::dashboard::connections::*;
use crate::web::dashboard::events::{ActivityView, EventsView};
use crate::web::dashboard::groups::*;
use crate::web::dashboard::home::HomeView;
use crate::web::dashboard::invitations::{
    InvitationCreatedView, InvitationFormView, InvitationRevokeView, InvitationsView,
};
use crate::web::dashboard::personal_tokens::*;
use crate::web::dashboard::second_factor::*;
use crate::web::dashboard::security::SecurityView;
use crate::web::dashboard::servers::{ServerFormView, ServerRemoveView, ServerView, ServersView};
use crate::web::dashboard::sessions::*;
use crate::web::dashboard::signing_keys::*;
use crate::web::dashboard::upstream_key::*;
use crate::web::dashboard::users::*;
use crate::web::error::ErrorView;
use crate::web::oauth::consent::{ConsentDoneView, ConsentView};
use crate::web::sign_in::{
    ConfirmProblem, ConfirmView, InvitationView, LoginProblem, LoginView, LogoutView, ResetView, SecondFactorView,
    SetUpView,
};
use askama::Template;
use std::collections::{BTreeMap, BTreeSet};

macro_rules! rendered {
    ($($name:literal: $view:expr,)*) => { vec![$(($name, $view.render().expect($name))),*] };
}

/// Every page in each of its states: a name and the HTML.
fn samples() -> Vec<(&'static str, String)> {
    [samples_for_everybody(), samples_for_admins()].concat()
}

fn samples_for_everybody() -> Vec<(&'static str, String)> {
    let slow = LoginProblem::SlowedDown { seconds: 8 };
    rendered! {
        "login": LoginView::sample(),
        "login-wrong": LoginView::sample_for_client(LoginProblem::Wrong),
        "login-slow": LoginView::sample_for_client(slow),
        "login-passkey-refused": LoginView::sample_for_client(LoginProblem::Passkey),
        "login-stale": LoginView::sample_for_client(LoginProblem::Stale),
        "second-factor": SecondFactorView::sample(),
        "second-factor-wrong": SecondFactorView::sample_refused(LoginProblem::Wrong),
        "second-factor-slow": SecondFactorView::sample_refused(slow),
        "second-factor-passkey": SecondFactorView::sample_of_passkey(),
        "passkey-new": PasskeyNewView::sample(),
        "passkey-new-refused": PasskeyNewView::sample_refused(),
        "authenticator": AuthenticatorView::sample(),
        "authenticator-demanded": AuthenticatorView::sample_demanded(),
        "recovery-codes": RecoveryCodesView::sample(),
        "recovery-codes-renew": RecoveryCodesRenewView::sample(),
        "factor-remove": FactorRemoveView::sample(),
        "set-up": SetUpView::sample(),
        "set-up-refused": SetUpView::sample_refused(),
        "confirm": ConfirmView::sample(),
        "confirm-wrong": ConfirmView::sample_of_page(ConfirmProblem::Wrong),
        "confirm-slow": ConfirmView::sample_of_page(ConfirmProblem::SlowedDown { seconds: 8 }),
        "confirm-passkey": ConfirmView::sample_of_passkey(),
        "confirm-too-long": ConfirmView::sample_too_long(),
        "logout": LogoutView::sample(),
        "invitation": InvitationView::sample(),
        "invitation-refused": InvitationView::sample_refused(),
        "reset": ResetView::sample(),
        "reset-refused": ResetView::sample_refused(),
        "consent": ConsentView::sample(),
        "consent-loopback": ConsentView::sample_loopback(),
        "consent-app": ConsentView::sample_app(),
        "consent-narrow": ConsentView::sample_narrow(),
        "consent-done": ConsentDoneView::sample(),
        "consent-over": ConsentDoneView::sample_over(),
        "connect": ConnectView::sample(),
        "home": HomeView::sample(),
        "home-empty": HomeView::sample_empty(),
        "tokens": TokenListView::sample(),
        "tokens-empty": TokenListView::sample_empty(),
        "token-new": TokenFormView::sample(),
        "tokens-filtered": TokenListView::sample_filtered(),
        "tokens-revoke-all": TokensRevokeAllView::sample(),
        "token": TokenView::sample(),
        "token-unused": TokenView::sample_unused(),
        "token-rotate": TokenRotateView::sample(),
        "token-new-by-link": TokenFormView::sample_by_link(),
        "token-created-rotated": TokenCreatedView::sample_rotated(),
        "token-new-refused": TokenFormView::sample_refused(),
        "token-created": TokenCreatedView::sample(),
        "token-already-shown": TokenAlreadyShownView::sample(),
        "token-rename": TokenRenameView::sample(),
        "token-revoke": TokenRevokeView::sample(),
        "connections": ConnectionsView::sample(),
        "connection-narrow": ConnectionNarrowView::sample(),
        "connection-narrow-refused": ConnectionNarrowView::sample_refused(),
        "connections-empty": ConnectionsView::sample_empty(),
        "connection-revoke": ConnectionRevokeView::sample(),
        "connections-revoke-all": ConnectionsRevokeAllView::sample(),
    }
}

fn samples_for_admins() -> Vec<(&'static str, String)> {
    rendered! {
        "signing-keys": SigningKeysView::sample(),
        "signing-keys-fresh": SigningKeysView::sample_fresh(),
        "signing-key-condemn": CondemnKeyView::sample(),
        "users": UsersView::sample(),
        "users-none": UsersView::sample_none(),
        "user": UserView::sample(),
        "user-disabled": UserView::sample_disabled(),
        "user-self": UserView::sample_self(),
        "user-disable": UserConfirmView::sample(Act::Disable),
        "user-enable": UserConfirmView::sample(Act::Enable),
        "user-sign-out": UserConfirmView::sample(Act::SignOut),
        "user-revoke-all": UserConfirmView::sample(Act::RevokeAll),
        "user-reset-factors": UserConfirmView::sample(Act::ResetFactors),
        "sign-in-policy": SignInPolicyView::sample(),
        "user-delete": UserConfirmView::sample(Act::Delete),
        "user-delete-refused": UserConfirmView::sample_refused(),
        "user-revoke": UserRevokeView::sample(),
        "user-reset-link": ResetLinkView::sample(),
        "user-reset-link-made": ResetLinkView::sample_made(),
        "access": AccessView::sample(),
        "access-tokens": AccessView::sample_tokens(),
        "access-nothing": AccessView::sample_nothing(),
        "access-empty": AccessView::sample_empty(),
        "groups": GroupsView::sample(),
        "groups-empty": GroupsView::sample_empty(),
        "group": GroupView::sample(),
        "group-refused": GroupView::sample_refused(),
        "group-remove": GroupRemoveView::sample(),
        "invitations": InvitationsView::sample(),
        "invitations-empty": InvitationsView::sample_empty(),
        "invitation-new": InvitationFormView::sample(),
        "invitation-new-refused": InvitationFormView::sample_refused(),
        "invitation-created": InvitationCreatedView::sample(),
        "invitation-created-again": InvitationCreatedView::sample_again(),
        "invitation-revoke": InvitationRevokeView::sample(),
        "clients": ClientsView::sample(),
        "clients-empty": ClientsView::sample_empty(),
        "client-new": ClientFormView::sample(),
        "client-created": ClientCreatedView::sample(),
        "client-created-again": ClientCreatedView::sample_again(),
        "client-pin": ClientPinView::sample(),
        "client-remove": ClientRemoveView::sample(),
        "servers": ServersView::sample(),
        "servers-of-member": ServersView::sample_of_member(),
        "servers-empty": ServersView::sample_empty(),
        "server": ServerView::sample(),
        "server-program": ServerView::sample_of_program(),
        "server-of-member": ServerView::sample_of_member(),
        "server-not-served": ServerView::sample_not_served(),
        "server-new": ServerFormView::sample_new(),
        "server-new-refused": ServerFormView::sample_refused(),
        "server-new-tested": ServerFormView::sample_tested(),
        "server-edit": ServerFormView::sample_edit(),
        "server-remove": ServerRemoveView::sample(),
        "activity": ActivityView::sample(),
        "activity-empty": ActivityView::sample_empty(),
        "events": EventsView::sample(),
        "events-filtered": EventsView::sample_filtered(),
        "check": CheckView::sample(),
        "check-done": CheckView::sample_done(),
        "security": SecurityView::sample(),
        "security-refused": SecurityView::sample_refused(),
        "sessions": SessionsView::sample(),
        "sessions-alone": SessionsView::sample_alone(),
        "session-end": SessionEndView::sample(),
        "sessions-end-others": SessionsEndOthersView::sample(),
        "own-key": UpstreamKeyView::sample(),
        "own-key-stored": UpstreamKeyView::sample_stored(),
        "own-key-moved": UpstreamKeyView::sample_moved(),
        "own-key-unwanted": UpstreamKeyView::sample_unwanted(),
        "own-key-remove": UpstreamKeyRemoveView::sample(),
        "error-not-found": ErrorView::not_found(),
        "error-stale-form": ErrorView::stale_form(),
        "error-waited-too-long": ErrorView::waited_too_long(Some("/dashboard/api-keys/new")),
        "error-internal": ErrorView::internal().request_id(&"req_0123456789abcdefghjkmnpqrs"),
        "error-slowed-down": ErrorView::slowed_down(8),
    }
}

/// One start tag: its name and attributes.
#[derive(Debug)]
struct Element<'a> {
    tag: &'a str,
    attributes: BTreeMap<&'a str, &'a str>,
    inside: Vec<&'a str>,
}

impl<'a> Element<'a> {
    fn get(&self, attribute: &str) -> Option<&'a str> {
        self.attributes.get(attribute).copied()
    }
}

const VOID: [&str; 5] = ["meta", "link", "input", "br", "path"];

/// Reads markup as strictly as we write it: every attribute quoted, every element closed in order.
fn read(html: &str) -> Vec<Element<'_>> {
    let (mut elements, mut open) = (Vec::new(), Vec::new());
    let mut rest = html.strip_prefix("<!doctype html>").expect("a doctype");
    while let Some((_, tail)) = rest.split_once('<') {
        let mut end = 0;
        let mut quoted = false;
        for (place, character) in tail.char_indices() {
            quoted ^= character == '"';
            if character == '>' && !quoted {
                end = place;
                break;
            }
        }
        let tag = &tail[..end];
        rest = &tail[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in order");
            continue;
        }
        let tag = tag.strip_suffix('/').unwrap_or(tag);
        let (name, mut text) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "a tag: {name}");
        let mut attributes = BTreeMap::new();
        while !text.trim().is_empty() {
            text = text.trim_start();
            let key_end = text.find(['=', ' ']).unwrap_or(text.len());
            let (key, after) = text.split_at(key_end);
            let value;
            if let Some(after) = after.strip_prefix("=\"") {
                (value, text) = after.split_once('"').expect("a closing quote");
            } else {
                assert!(!after.starts_with('='), "{key} is quoted");
                (value, text) = ("", after);
            }
            assert!(attributes.insert(key, value).is_none(), "{key} twice");
        }
        elements.push(Element { tag: name, attributes, inside: open.clone() });
        if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "everything is closed: {open:?}");
    elements
}

/// Runs `check` on the elements of every sample and says on which page it failed.
fn on_every_page(check: impl Fn(&str, &[Element<'_>])) {
    for (name, html) in samples() {
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&html, &read(&html))));
        assert!(checked.is_ok(), "on the page {name}");
    }
}

#[test]
fn a_page_has_one_heading_a_title_a_language_and_a_main_part() {
    on_every_page(|html, elements| {
        let count = |tag: &str| elements.iter().filter(|element| element.tag == tag).count();
        assert_eq!((count("h1"), count("title"), count("main")), (1, 1, 1));
        assert!(html.contains("<html lang=\"en\">"));
        let skip = elements.iter().find(|element| element.tag == "a").unwrap();
        assert_eq!(skip.get("href"), Some("#main"));
        let levels: Vec<_> =
            elements.iter().filter_map(|element| element.tag.strip_prefix('h')?.parse().ok()).collect();
        assert!(levels.windows(2).all(|pair: &[u8]| pair[1] <= pair[0] + 1), "no level is left out: {levels:?}");
    });
}

#[test]
fn ids_are_unique_and_references_lead_somewhere() {
    on_every_page(|_, elements| {
        let all: Vec<_> = elements.iter().filter_map(|element| element.get("id")).collect();
        let ids: BTreeSet<_> = all.iter().copied().collect();
        assert_eq!(ids.len(), all.len(), "{all:?}");
        for element in elements {
            let lists = ["aria-describedby", "aria-labelledby", "for", "data-copy"];
            for id in lists.iter().filter_map(|list| element.get(list)).flat_map(str::split_whitespace) {
                assert!(ids.contains(id), "{id}");
            }
        }
    });
}

#[test]
fn every_field_has_a_label_and_every_button_a_type() {
    on_every_page(|_, elements| {
        let labelled: BTreeSet<_> = elements.iter().filter_map(|element| element.get("for")).collect();
        for element in elements {
            match element.tag {
                "button" => assert!(matches!(element.get("type"), Some("submit" | "button"))),
                "input" if element.get("type") == Some("hidden") || element.get("hidden").is_some() => {}
                "input" | "select" | "textarea" => {
                    let wrapped = element.inside.contains(&"label");
                    assert!(wrapped || labelled.contains(element.get("id").expect("an id")), "{element:?}");
                }
                _ => {}
            }
        }
    });
}

#[test]
fn every_form_posts_with_a_token_to_a_path_of_ours() {
    on_every_page(|_, elements| {
        let mut forms = elements.iter().enumerate().filter(|(_, element)| element.tag == "form").peekable();
        while let Some((start, form)) = forms.next() {
            let end = forms.peek().map_or(elements.len(), |(next, _)| *next);
            assert!(form.get("action").unwrap().starts_with('/'));
            // A form that only asks changes nothing.
            if form.get("method") == Some("get") {
                continue;
            }
            assert_eq!(form.get("method"), Some("post"));
            let tokens = elements[start..end].iter().filter(|element| element.get("name") == Some("form_token"));
            let tokens = tokens.filter(|token| token.get("value") != Some("")).count();
            // What only looks for something changes nothing, and its address carries no token.
            let expected = usize::from(form.get("role") != Some("search"));
            assert_eq!((form.get("method"), tokens), (Some(if expected == 1 { "post" } else { "get" }), expected));
        }
    });
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    on_every_page(|_, elements| {
        for element in elements {
            assert_ne!(element.tag, "style");
            assert!(element.attributes.keys().all(|key| *key != "style" && !key.starts_with("on")), "{element:?}");
            let loaded = match element.tag {
                "script" | "img" => Some(element.get("src").expect("a source")),
                "link" if element.get("rel") != Some("expect") => element.get("href"),
                _ => None,
            };
            assert!(loaded.is_none_or(|url| url.starts_with("/assets/")), "{loaded:?}");
        }
    });
}

#[test]
fn a_page_is_painted_when_its_last_element_is_there() {
    on_every_page(|_, elements| {
        let awaited =
            elements.iter().find(|element| element.get("rel") == Some("expect")).expect("an element to wait for");
        assert_eq!(awaited.get("blocking"), Some("render"));
        let last = elements.last().and_then(|element| element.get("id")).expect("a last element");
        assert_eq!(awaited.get("href"), Some(format!("#{last}").as_str()));
    });
}

#[test]
fn what_others_typed_stays_text() {
    let mut hostile = 0;
    for (name, html) in samples() {
        assert!(!html.contains("<script>") && !html.contains("<i>") && !html.contains("<b>"), "{name}");
        hostile += usize::from(html.contains("&#60;script&#62;"));
    }
    assert!(hostile >= 3, "some samples do contain markup");
}

#[test]
fn a_page_with_everything_it_loads_is_light() {
    let assets: usize = ["assets/app.css", "assets/app.js", "assets/icons/key.svg"]
        .iter()
        .map(|path| std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap().len())
        .sum();
    for (name, html) in samples() {
        assert!(html.len() + assets < 60_000, "{name} weighs {} + {assets} bytes", html.len());
    }
}

#[test]
fn every_view_has_a_sample() {
    let source = include_str!("samples.rs");
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let text = std::fs::read_to_string(&entry).unwrap();
            for rest in text.split("\n#[template(").skip(1) {
                let (_, rest) = rest.split_once("struct ").expect("a view is a struct");
                let name = rest.split([' ', '<']).next().unwrap();
                assert!(source.contains(&format!(": {name}::")), "{name} has no sample");
            }
        }
    }
}

#[test]
fn samples_can_be_looked_at() {
    let Ok(directory) = std::env::var("KEYWARD_SAMPLES") else { return };
    let directory = std::path::Path::new(&directory);
    std::fs::create_dir_all(directory).unwrap();
    for (name, html) in samples() {
        std::fs::write(directory.join(name).with_extension("html"), html).unwrap();
    }
}
