use super::*;

fn alone(name: &str) -> Person<'_> {
    Person { name, groups: &[] }
}

fn names(names: &[&str]) -> Vec<GroupName> {
    names.iter().map(|name| GroupName::parse(name).unwrap()).collect()
}

/// A rule for these users and groups, with these entries of the most.
fn grouped(users: Option<&[&str]>, groups: Option<&[&str]>, most: &[(&str, &[&str])]) -> Result<AccessRule, RuleError> {
    let most: Vec<_> = most.iter().map(|(name, list)| (*name, texts(list))).collect();
    AccessRule::parse(
        users.map(|users| users.iter().copied()),
        groups.map(|groups| groups.iter().copied()),
        [],
        most.iter().map(|(name, list)| (*name, list.as_slice())),
    )
}

#[test]
fn a_group_lets_its_members_in_beside_the_users_that_are_named() {
    let rule = grouped(Some(&["anna"]), Some(&["Writers", "ops"]), &[]).unwrap();
    for (name, groups, admitted) in [
        ("anna", &[][..], true),
        ("ben", &["writers"], true),
        ("ben", &["readers", "ops"], true),
        ("ben", &["readers"], false),
        ("ben", &[], false),
        ("writers", &[], false),
    ] {
        assert_eq!(rule.admits(Person { name, groups: &names(groups) }), admitted, "{name} in {groups:?}");
    }
    assert_eq!(rule.named_groups().map(GroupName::as_str).collect::<Vec<_>>(), ["ops", "writers"]);
    let only = grouped(None, Some(&["writers"]), &[]).unwrap();
    assert!(!only.admits(alone("anna")) && only.users().is_none());
    assert!(only.undivided().admits(Person { name: "anna", groups: &names(&["writers"]) }));
}

#[test]
fn the_most_of_groups_adds_up_and_a_users_own_counts_before_it() {
    let most: &[(&str, &[&str])] =
        &[("@readers", &["mcp:read"]), ("@Writers", &["mcp"]), ("@none", &[]), ("dan", &["mcp:read"])];
    let rule = grouped(None, None, most).unwrap();
    for (name, groups, most) in [
        ("anna", &[][..], "mcp"),
        ("anna", &["others"], "mcp"),
        ("anna", &["readers"], "mcp:read"),
        ("anna", &["readers", "writers"], "mcp mcp:read"),
        ("anna", &["none", "readers"], "mcp:read"),
        ("anna", &["none"], ""),
        ("dan", &["writers"], "mcp:read"),
    ] {
        let groups = names(groups);
        let person = Person { name, groups: &groups };
        assert_eq!(rule.most_for(person).as_str(), most, "{name} in {groups:?}");
        assert_eq!(rule.admits(person), !most.is_empty(), "{name} in {groups:?}");
    }
    let refused = |most: &[(&str, &[&str])]| grouped(None, None, most).unwrap_err().to_string();
    assert!(refused(&[("@writers", &["mcp"]), ("@WRITERS", &["mcp"])]).contains("given twice"));
    assert!(refused(&[("@a b", &["mcp"])]).contains("“@a b” is no group"));
    assert!(refused(&[("@writers", &["x"])]).contains("the most for @writers names the scope x"));
    assert!(grouped(Some(&["@writers"]), None, &[]).unwrap_err().to_string().contains("a list of their own"));
    assert_eq!(grouped(None, Some(&[]), &[]).unwrap_err().part(), "groups");
    assert_eq!(grouped(None, Some(&["a b"]), &[]).unwrap_err().part(), "groups");
    assert_eq!(grouped(None, None, &[("@a b", &["mcp"])]).unwrap_err().part(), "most");
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn parse(users: Option<&[&str]>, own: &[(&str, &[&str])], most: &[(&str, &[&str])]) -> Result<AccessRule, RuleError> {
    let own: Vec<_> = own.iter().map(|(name, list)| (*name, texts(list))).collect();
    let most: Vec<_> = most.iter().map(|(name, list)| (*name, texts(list))).collect();
    AccessRule::parse(
        users.map(|users| users.iter().copied()),
        None::<[&str; 0]>,
        own.iter().map(|(name, list)| (*name, list.as_slice())),
        most.iter().map(|(name, list)| (*name, list.as_slice())),
    )
}

#[test]
fn the_default_is_everything_for_everybody() {
    let rule = AccessRule::default();
    assert_eq!(rule.scopes().as_str(), "mcp mcp:read");
    assert!(rule.admits(alone("anybody")) && rule.users().is_none());
    assert_eq!(*rule.most_for(alone("anybody")), ScopeSet::mcp());
    assert_eq!(parse(None, &[], &[]), Ok(rule));
}

#[test]
fn users_are_found_however_their_name_is_written() {
    let rule = parse(Some(&["Ben", "anna", "ben"]), &[], &[("ANNA", &["mcp:read"])]).unwrap();
    assert_eq!(rule.users(), Some(&["anna".to_owned(), "ben".to_owned()][..]));
    for (user, admitted) in [("anna", true), ("Anna", true), ("BEN", true), ("be", false), ("benn", false)] {
        assert_eq!(rule.admits(alone(user)), admitted, "{user}");
    }
    assert_eq!(rule.most_for(alone("aNNa")).as_str(), "mcp:read");
    assert_eq!(rule.most_for(alone("ben")).as_str(), "mcp");
    let scopes = ScopeSet::mcp();
    assert_eq!(rule.within_reach(alone("anna"), &scopes).as_str(), "mcp:read");
    assert_eq!(rule.within_reach(alone("ben"), &scopes).as_str(), "mcp");
    assert!(rule.within_reach(alone("carl"), &scopes).is_empty());
}

#[test]
fn a_user_whose_most_is_nothing_is_not_admitted() {
    let rule = parse(None, &[], &[("ben", &[])]).unwrap();
    assert!(!rule.admits(alone("ben")) && rule.admits(alone("anna")));
}

#[test]
fn what_is_wrong_with_a_rule_is_said() {
    let too_many: Vec<String> = (0..=MAX_OWN_SCOPES).map(|n| format!("s{n}")).collect();
    let too_many: Vec<(&str, &[&str])> = too_many.iter().map(|name| (name.as_str(), &["x"][..])).collect();
    assert!(parse(None, &too_many[1..], &[]).is_ok());
    for (wrong, told) in [
        (parse(Some(&["an na"]), &[], &[]), "“an na” is no user name"),
        (parse(Some(&[]), &[], &[]), "leave it out for every user"),
        (parse(None, &[("a b", &["x"])], &[]), "“a b” is no scope"),
        (parse(None, &[("mcp", &["x"])], &[]), "the scope mcp has its meaning already"),
        (parse(None, &[("mcp:read", &["x"])], &[]), "the scope mcp:read has its meaning already"),
        (parse(None, &[("offline_access", &["x"])], &[]), "has its meaning already"),
        (parse(None, &[("files", &[])], &[]), "the scope files names no tools"),
        (parse(None, &[("files", &["a b"])], &[]), "“a b” in the scope files: a tool pattern"),
        (parse(None, &too_many, &[]), "at most 29 scopes"),
        (parse(None, &[], &[("ben", &["files"])]), "the most for ben names the scope files, which this server"),
        (parse(None, &[], &[("ben", &["offline_access"])]), "which this server does not have; it has mcp mcp:read"),
        (parse(None, &[], &[("ben", &["mcp"]), ("Ben", &["mcp"])]), "is given twice"),
        (parse(None, &[], &[("b n", &["mcp"])]), "“b n” is no user name"),
    ] {
        let text = wrong.unwrap_err().to_string();
        assert!(text.contains(told), "{text}");
    }
    let part = |wrong: Result<AccessRule, RuleError>| wrong.unwrap_err().part();
    assert_eq!(part(parse(Some(&["b n"]), &[], &[])), "users");
    assert_eq!(part(parse(None, &[], &[("b n", &["mcp"])])), "most");
}

#[test]
fn the_narrowest_scope_comes_first() {
    let rule = parse(None, &[("w", &["write_*"]), ("f", &["*_file"])], &[]).unwrap();
    let call = |tool: &'static str, effect| Operation::Call(ToolCall { tool: tool.into(), effect });
    for (operation, openers) in [
        (call("write_file", Effect::ReadOnly), "w f mcp:read mcp"),
        (call("read_file", Effect::ReadOnly), "f mcp:read mcp"),
        (call("read", Effect::ReadOnly), "mcp:read mcp"),
        (call("delete", Effect::Any), "mcp"),
        (Operation::Read, "mcp:read mcp"),
        (Operation::ListTools, "w f mcp:read mcp"),
        (Operation::Housekeeping, "w f mcp:read mcp"),
        (Operation::Unknown, "mcp"),
    ] {
        assert_eq!(rule.openers(&operation).collect::<Vec<_>>().join(" "), openers, "{operation:?}");
    }
}
