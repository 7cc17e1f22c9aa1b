//! What went wrong elsewhere, and which test says that it does not here.
//!
//! Each row is a bug or a wish of the users of similar software, or a control against a known attack; the test that is
//! named must exist. A row without a test is a gap, not a row to leave out.

use std::collections::BTreeSet;
use std::path::Path;

/// What happened elsewhere; the tests that would have caught it.
const ROWS: &[(&str, &[&str])] = &[
    // Refresh and rotation
    ("a refresh revoked the token that it had just given", &["refreshed_tokens_work_and_refresh_again"]),
    (
        "the second of two concurrent refreshes lost the session",
        &["fifty_refreshes_inside_the_grace_all_work_and_a_late_one_ends_the_family"],
    ),
    (
        "storms of invalid_grant without a grace; real reuse unnoticed",
        &["racing_requests_all_get_successors_of_one_family", "reuse_is_noticed_before_any_other_mistake_of_the_owner"],
    ),
    (
        "refresh tokens only in memory: a restart signed everybody out",
        &["a_replayed_refresh_token_ends_the_family_also_after_a_restart"],
    ),
    ("reuse detection forgotten by a restart", &["a_replayed_refresh_token_ends_the_family_also_after_a_restart"]),
    (
        "refresh ignored a revoked consent",
        &["a_revoked_connection_refreshes_no_more", "a_removed_client_has_nothing_left"],
    ),
    (
        "a client that refreshed in a loop filled the store",
        &["a_loop_of_refreshes_is_slowed_and_ends_nothing", "a_loop_of_refreshes_is_slowed_and_a_race_is_not"],
    ),
    // Registration and clients
    (
        "an unknown client was stuck on an HTML page for ever",
        &["a_program_hears_of_a_forgotten_client_in_its_own_words", "what_was_never_used_is_forgotten_and_told_so"],
    ),
    ("invalid_grant turned into a 500", &["a_code_is_for_its_client_its_verifier_its_address_and_its_minute"]),
    (
        "the registration answer lacked refresh_token in grant_types",
        &["the_answer_echoes_everything_and_can_be_read_again"],
    ),
    ("no registration_client_uri in the registration answer", &["the_answer_echoes_everything_and_can_be_read_again"]),
    (
        "hundreds of orphaned registrations of one client",
        &[
            "the_same_public_client_gets_the_same_id_again_and_a_secret_one_a_new_one",
            "registrations_are_bounded_and_never_cost_a_client_its_grant",
        ],
    ),
    (
        "registrations that expire break their clients",
        &[
            "registrations_are_bounded_and_never_cost_a_client_its_grant",
            "what_was_never_used_is_forgotten_and_told_so",
        ],
    ),
    (
        "a client sends its secret in the form though only Basic is advertised",
        &[
            "a_client_with_a_secret_may_send_it_either_way_but_not_wrong_and_not_twice",
            "a_secret_may_come_in_the_header_or_in_the_form",
            "sdk 1.x: a confidential client registers and signs in with its secret",
        ],
    ),
    ("a loopback redirect with a random port was refused", &["on_loopback_the_port_and_nothing_else_is_free"]),
    (
        "a client that prefers private_key_jwt, or offers none beside it, was refused",
        &[
            "methods_are_those_that_both_sides_know",
            "a_client_with_a_key_redeems_with_an_assertion_and_never_twice_with_the_same",
        ],
    ),
    (
        "one bad redirect in a list broke a good client",
        &["what_real_clients_send_is_taken_and_what_is_dangerous_is_not"],
    ),
    (
        "dynamic registration without any limit",
        &["a_flood_of_registrations_is_slowed", "registrations_are_bounded_and_never_cost_a_client_its_grant"],
    ),
    ("a secret was handed to every registered client", &["the_answer_echoes_everything_and_can_be_read_again"]),
    (
        "a real client could not finish its login",
        &[
            "sdk 1.x: discovers, registers, signs in, calls, refreshes, and is refused once revoked",
            "sdk 2.x ${title}: discovers, registers, signs in, calls, refreshes, and is refused once revoked",
            "Python SDK: discovers, registers, signs in, calls tools and refreshes",
            "mcp-remote signs in through the browser and bridges tools (--protocol ${protocol})",
            "Inspector signs in through the browser flow without a token",
            "${title}: a client with a metadata document walks the whole way and never registers",
        ],
    ),
    ("a long state or redirect did not fit", &["a_long_state_and_a_long_redirect_come_through"]),
    // Discovery and audience
    (
        "metadata named another issuer than the one that it was fetched from",
        &["the_resource_names_the_issuer_that_the_server_metadata_names"],
    ),
    (
        "audience mismatch after a perfect flow, with or without a slash, with no resource at all",
        &["a_token_request_may_name_the_resource_of_the_grant_only", "one_resource_may_be_named_twice_but_not_two"],
    ),
    ("forwarded headers poisoned links and documents", &["documents_do_not_listen_to_forwarded_headers"]),
    (
        "every proxy was trusted as shipped",
        &["a_proxy_that_was_not_named_is_nobody", "a_stranger_cannot_choose_an_address"],
    ),
    (
        "no CORS on discovery, token and registration",
        &[
            "a_browser_client_may_ask_before_it_posts",
            "a_path_of_a_program_is_refused_in_json_whatever_is_wrong_with_it",
            "a page on another origin discovers, registers, signs in and calls",
        ],
    ),
    (
        "OAuth completes, then nothing, and nobody can see why",
        &[
            "with_a_token_the_challenge_names_the_error",
            "the_holder_is_told_which_servers_the_token_is_for",
            "what_cannot_be_read_is_a_bad_request_and_what_is_not_ours_is_a_bad_token",
        ],
    ),
    (
        "a wrong Host was answered (DNS rebinding)",
        &["documents_do_not_listen_to_forwarded_headers", "only_known_hosts_are_answered"],
    ),
    // Consent
    (
        "the page's policy blocked the redirect after consent",
        &[
            "the_consent_page_names_who_asks_and_where_the_answer_goes",
            "the_login_page_on_the_way_to_a_client_lets_its_form_reach_the_client",
            "approval reaches a listener on ${host} ${javaScript ? \"with\" : \"without\"} JavaScript",
            "approval leaves for ${title} without breaking the page's policy",
        ],
    ),
    ("a signed-in browser authorised without being asked", &["looking_at_the_consent_page_changes_nothing"]),
    ("consent was not tied to the browser that gave it", &["another_browser_cannot_answer_for_this_one"]),
    (
        "an answer of one authorization server was taken for another's: no iss",
        &[
            "an_approval_brings_code_state_and_issuer",
            "a_denial_brings_an_error_with_state_and_issuer",
            "errors_after_that_go_to_the_client",
        ],
    ),
    (
        "any redirect or client was taken at authorize",
        &[
            "errors_before_client_and_redirect_fit_together_never_redirect",
            "an_address_that_was_not_registered_is_never_answered",
        ],
    ),
    (
        "one consent gave many grants, and a double click gave an error",
        &[
            "a_form_that_is_sent_twice_leads_to_the_client_and_is_one_approval",
            "an_approval_whose_code_nobody_came_for_is_over",
        ],
    ),
    (
        "an error path redirected before the redirect was checked",
        &["errors_before_client_and_redirect_fit_together_never_redirect"],
    ),
    (
        "a scheme list was passed by case, space and control characters",
        &["schemes_are_refused_in_any_letters", "the_table_of_redirect_uris"],
    ),
    (
        "redirects compared by pattern, prefix or host without userinfo",
        &["the_table_of_redirect_uris", "every_change_of_one_byte_of_real_clients_is_refused"],
    ),
    (
        "no way on when the browser is on another machine than the client",
        &[
            "going_back_after_approving_shows_the_address_to_copy",
            "with nobody listening, going back shows the callback to copy, and it works",
        ],
    ),
    (
        "the first redirect that a client without any came with was taken for its own",
        &["an_address_may_be_left_out_if_there_is_one"],
    ),
    // Codes
    (
        "a code was refused only if wrong and expired",
        &["client_and_time_must_both_be_right", "a_code_is_for_its_client_its_verifier_its_address_and_its_minute"],
    ),
    (
        "codes and refresh tokens not bound to their client",
        &["a_code_is_for_its_client_its_verifier_its_address_and_its_minute", "a_refresh_token_is_for_its_client_only"],
    ),
    ("a code worked twice when redeemed at the same time", &["of_fifty_redemptions_of_one_code_one_succeeds"]),
    (
        "the S256 method was lost on the way to storage",
        &["the_pkce_challenge_survives_a_restart", "the_verifier_is_always_asked_for", "only_an_s256_challenge_is_one"],
    ),
    (
        "a thief who replays a used code ended the owner's grant",
        &["a_replayed_code_ends_what_it_gave_but_only_for_its_owner"],
    ),
    // Tokens
    ("no personal tokens with names beside OAuth", &["a_personal_token_works_for_a_year_and_not_a_day_longer"]),
    (
        "a program without a browser could not come in beside those that sign in",
        &[
            "a_personal_token_opens_the_server_until_it_is_revoked",
            "a_client_that_was_allowed_in_gets_in_until_its_connection_is_revoked",
        ],
    ),
    (
        "no way to end all that a user has given at once",
        &[
            "a_connected_app_is_listed_with_its_host_and_revoked",
            "each_kind_of_revocation_covers_its_tokens_and_no_others",
        ],
    ),
    ("a token was good until a cleaner came", &["a_personal_token_is_good_for_a_year_and_no_day_more"]),
    ("a cap of hours made tokens unusable", &["a_personal_token_works_for_a_year_and_not_a_day_longer"]),
    (
        "a revoked key was still served from a cache",
        &[
            "a_revoked_token_is_refused_at_the_very_next_request_and_after_a_restart",
            "revocation_ends_a_token_at_the_very_next_request",
        ],
    ),
    (
        "a token page without name, dates, last use or state",
        &["last_use_is_seen_at_once_and_survives_a_flush_and_a_restart"],
    ),
    (
        "a token made another token, or opened a page",
        &["a_personal_token_can_never_make_a_token", "a_token_opens_no_page"],
    ),
    (
        "exp and nbf of the wrong type counted as absent; truncated tokens accepted",
        &[
            "every_claim_is_required_and_has_its_type",
            "a_token_that_is_cut_or_extended_anywhere_is_refused",
            "no_algorithm_but_ours_signs",
            "no_header_but_the_one_we_write_is_read",
        ],
    ),
    ("one login ended the other machine's token", &["of_two_connections_of_one_client_neither_ends_the_other"]),
    (
        "introspection told clients about tokens of others",
        &["introspection_is_for_admin_made_clients_with_their_secret"],
    ),
    // Browsers
    (
        "a form of another site changed something",
        &["no_form_is_taken_from_another_site_another_browser_or_without_its_token"],
    ),
    ("a link changed something", &["looking_at_a_page_changes_nothing_and_no_page_is_left_open"]),
    ("a page was shown in a frame", &["looking_at_a_page_changes_nothing_and_no_page_is_left_open"]),
    (
        "a session that somebody planted was kept after signing in",
        &["signing_in_always_makes_a_new_session_and_ends_the_one_before"],
    ),
    ("signing in led to another site", &["nobody_is_led_to_another_site_after_signing_in"]),
    (
        "a name ran as a script",
        &["what_others_write_is_text_on_every_page_that_shows_it", "what_is_sent_back_from_a_form_is_text"],
    ),
    (
        "passwords could be guessed, or a guesser locked the owner out",
        &["wrong_passwords_are_slowed_also_for_the_right_one_and_never_locked_out"],
    ),
    (
        "codes of six digits could be guessed for ever by who knew the password, or a guesser locked the owner out",
        &[
            "after_many_wrong_codes_in_a_row_few_are_looked_at_and_the_owner_is_told_but_not_locked_out",
            "the_slow_pace_doubles_to_an_hour_and_remembers_for_a_day",
        ],
    ),
    (
        "what a passkey had signed for one page, person or session was taken at another, or twice",
        &[
            "a_passkey_proves_only_whose_it_is_to_the_question_of_this_session_and_once",
            "a_question_is_answered_once_in_its_browser_and_in_time",
        ],
    ),
    (
        "who signed in by passkey only was asked for a password before what hands out power",
        &["whoever_signs_in_by_passkey_only_proves_by_it_that_it_is_still_them"],
    ),
    (
        "what was entered was lost because the sign-in had grown old",
        &[
            "a_form_that_hands_out_power_waits_for_the_password_and_nothing_typed_is_lost",
            "a_form_is_kept_for_half_an_hour_and_whoever_is_later_is_led_back_to_its_page",
        ],
    ),
    (
        "an admin revoked a token, and its owner found out by a script that failed",
        &["an_owner_is_told_what_somebody_else_did_to_what_is_theirs"],
    ),
    (
        "attempts were counted apart for each way to write a name, or for each address of one network",
        &[
            "wrong_passwords_are_slowed_also_for_the_right_one_and_never_locked_out",
            "names_that_differ_in_case_are_one_name",
            "an_ipv6_network_is_one_place",
        ],
    ),
    (
        "many sign-ins at once took all memory and every core",
        &["many_who_sign_in_at_once_hold_up_no_call", "the_right_password_and_no_other_is_accepted"],
    ),
    (
        "a stranger learned which names exist",
        &["a_wrong_name_and_a_wrong_password_look_the_same", "nobody_has_a_readable_hash_that_no_password_opens"],
    ),
    ("a token could be read again later", &["a_token_is_shown_once_and_works"]),
    ("other sessions outlived a new password", &["a_new_password_ends_the_other_sessions_and_renews_this_one"]),
    ("a member reached the pages of admins", &["pages_for_admins_are_for_admins"]),
    ("anybody could become the first admin", &["the_first_admin_is_made_once_and_only_with_the_secret"]),
    // The log
    (
        "nobody could say who called which tool, when and how it ended",
        &["each_kind_of_act_leaves_exactly_its_line", "a_stop_writes_the_calls_that_wait"],
    ),
    ("arguments and tokens stood in the log", &["no_line_has_a_secret_or_an_argument"]),
    ("an act was done and its line lost", &["a_revocation_that_was_answered_has_its_line_after_kill_9"]),
    ("OAuth completes, then nothing, and the owner cannot see why", &["a_token_for_another_server_is_told_which"]),
    (
        "a stranger wrote into somebody's page or filled the disk",
        &["the_owner_of_a_token_reads_why_it_was_refused", "strangers_do_not_fill_the_log"],
    ),
    // Network
    (
        "a metadata URL led to inside addresses, through 6to4 and NAT64 too",
        &["special_addresses_are_refused", "a_host_that_leads_inside_is_not_connected_to"],
    ),
    ("the address changed between check and connection", &["a_name_that_changes_its_address_gains_nothing"]),
    (
        "a client URL made the server fetch for anybody",
        &["a_client_document_is_fetched_only_for_somebody_who_is_signed_in"],
    ),
    (
        "strange input made a 500: a bare Bearer, deep nesting, broken encodings",
        &[
            "no_route_breaks_on_any_body_or_type",
            "no_route_breaks_on_any_method_query_or_header",
            "no_header_and_no_body_makes_a_server_error",
            "deep_nesting_is_no_danger",
        ],
    ),
    (
        "connections were kept open without an end, or cut between two requests",
        &[
            "a_connection_may_rest_between_requests_but_not_within_a_head_and_not_for_ever",
            "http2_that_rests_is_told_goodbye_and_closed",
            "one_address_takes_so_many_places_and_no_other_is_hurt",
        ],
    ),
    // Start
    (
        "a missing or damaged database led back to set-up",
        &[
            "a_missing_or_strange_database_is_a_refusal_and_never_a_new_one",
            "the_door_to_the_first_account_closes_for_ever",
        ],
    ),
    ("a revocation was lost by a crash", &["a_revocation_survives_kill_9_and_is_known_to_the_first_request"]),
];

#[test]
fn every_row_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    for folder in ["src", "tests/it"] {
        collect(&root.join(folder), &mut known);
    }
    for folder in ["tests/interop", "tests/browser"] {
        collect_scripts(&root.join(folder), &mut known);
    }
    let missing: Vec<_> = ROWS
        .iter()
        .flat_map(|(row, tests)| tests.iter().map(move |test| (row, *test)))
        .filter(|(_, test)| !known.contains(*test))
        .collect();
    assert!(missing.is_empty(), "rows whose tests do not exist: {missing:#?}");
    assert!(ROWS.iter().all(|(_, tests)| !tests.is_empty()));
}

/// The names of all functions that carry a test attribute.
fn collect(folder: &Path, known: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, known);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in source.lines().map(str::trim) {
                is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                if let Some(name) = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ") {
                    if is_test {
                        known.insert(name.split('(').next().unwrap_or_default().to_owned());
                    }
                    is_test = false;
                }
            }
        }
    }
}

/// The names of all tests of the scripts in a folder, as they are written there.
fn collect_scripts(folder: &Path, known: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().ends_with(".test.js") {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        for call in source.lines().filter_map(|line| line.trim().strip_prefix("test(")) {
            let quote = call.chars().next().filter(|quote| ['"', '`'].contains(quote)).expect("a test has a name");
            known.extend(call[1..].split_once(quote).map(|(name, _)| name.to_owned()));
        }
    }
}
