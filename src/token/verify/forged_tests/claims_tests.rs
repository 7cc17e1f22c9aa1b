//! Forged claims, really signed: a name, what was changed, and the reason for which each is refused.

use super::*;

/// Every claim of each kind, and a JSON value that it has.
const ACCESS_CLAIMS: [&str; 9] = ["iss", "sub", "aud", "client_id", "scope", "iat", "exp", "jti", "grant_id"];
const PERSONAL_CLAIMS: [&str; 7] = ["iss", "sub", "aud", "scope", "iat", "exp", "jti"];

#[test]
fn every_claim_is_required_and_has_its_type() {
    let mut table = Table::new();
    for (typ, json, names) in [
        (Typ::Access, table.access_json.clone(), &ACCESS_CLAIMS[..]),
        (Typ::Personal, table.personal_json.clone(), &PERSONAL_CLAIMS[..]),
    ] {
        let whole: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
        assert_eq!(whole.len(), names.len());
        for name in names {
            let mut row = |what: &str, value: Option<serde_json::Value>| {
                let mut claims = whole.clone();
                match value {
                    Some(value) => claims.insert((*name).to_owned(), value),
                    None => claims.remove(*name),
                };
                let token = table.workshop.forge(table.workshop.header(typ), serde_json::to_vec(&claims).unwrap());
                table.rows.push((format!("{typ:?}: {name} {what}"), token, BadClaims));
            };
            row("missing", None);
            row("null", Some(serde_json::Value::Null));
            row("true", Some(true.into()));
            row("an object", Some(serde_json::json!({})));
            row("an empty array", Some(serde_json::json!([])));
            row("an array in an array", Some(serde_json::json!([[whole[*name]]])));
            // No scope at all is a set of scopes; an empty issuer is another issuer.
            if !["scope", "iss"].contains(name) {
                row("empty", Some("".into()));
            }
            if whole[*name].is_string() {
                row("a number", Some(1_790_000_000.into()));
            } else {
                row("a string", Some(whole[*name].to_string().into()));
                row("in an array", Some(serde_json::json!([whole[*name]])));
            }
        }
    }
    assert!(table.rows.len() > 100);
    table.check();
}

#[test]
fn times_are_whole_seconds_of_this_era() {
    let mut table = Table::new();
    let (iat, exp) = ("\"iat\":1790000000", "\"exp\":1790003600");
    for (name, value) in [
        ("negative", "-1"),
        ("minus zero", "-0"),
        ("a float", "1790003600.5"),
        ("a whole float", "1790003600.0"),
        ("with an exponent", "1.7900036e9"),
        ("infinite", "1e400"),
        ("above 64 bits", "18446744073709551616"),
        ("the largest number", "18446744073709551615"),
        ("beyond the year 9999", "253402300800"),
        ("in milliseconds", "1790003600000"),
        ("hexadecimal", "0x6ab13c30"),
        ("with a leading zero", "01790003600"),
        ("with a plus", "+1790003600"),
        ("NaN", "NaN"),
        ("the date in words", "\"2026-09-21T15:13:20Z\""),
    ] {
        table.access_claims(&format!("exp {name}"), exp, &format!("\"exp\":{value}"), BadClaims);
        table.access_claims(&format!("iat {name}"), iat, &format!("\"iat\":{value}"), BadClaims);
    }
    table.access_claims("exp zero", exp, "\"exp\":0", BadClaims);
    table.access_claims("exp not after iat", exp, "\"exp\":1790000000", BadClaims);
    table.access_claims("iat after exp", iat, "\"iat\":1790003601", BadClaims);
    table.access_claims("over", exp, "\"exp\":1790000001", TokenRefusal::Expired);
    table.rows.last_mut().unwrap().1 = {
        let json = table.access_json.replacen(iat, "\"iat\":1789990000", 1).replacen(exp, "\"exp\":1789993600", 1);
        table.signed(Typ::Access, json)
    };
    table.access_claims("from the future", iat, "\"iat\":1790000006", TokenRefusal::NotYetValid);
    table.check();
}

#[test]
fn names_in_claims_have_one_spelling() {
    let mut table = Table::new();
    let iss = "\"iss\":\"https://mcp.example.com\"";
    for (name, issuer) in [
        ("with a slash", "https://mcp.example.com/"),
        ("in capitals", "https://MCP.example.com"),
        ("with its port", "https://mcp.example.com:443"),
        ("without TLS", "http://mcp.example.com"),
        ("another", "https://evil.example"),
        ("a subdomain", "https://a.mcp.example.com"),
        ("longer", "https://mcp.example.com.evil.example"),
        ("empty", ""),
    ] {
        table.access_claims(&format!("iss {name}"), iss, &format!("\"iss\":\"{issuer}\""), WrongIssuer);
        let everywhere = table.personal_json.replace("https://mcp.example.com", issuer);
        table.row(&format!("personal: iss {name}"), table.signed(Typ::Personal, everywhere), WrongIssuer);
    }
    let aud = "\"aud\":\"https://mcp.example.com/mcp\"";
    for (name, value) in [
        ("an array", r#"["https://mcp.example.com/mcp"]"#),
        ("not a URL", r#""mcp""#),
        ("not canonical", r#""https://mcp.example.com/mcp/""#),
        ("in capitals", r#""https://MCP.example.com/mcp""#),
        ("with a fragment", r#""https://mcp.example.com/mcp#x""#),
        ("with a user", r#""https://a@mcp.example.com/mcp""#),
        ("escaped", r#""https:\/\/mcp.example.com\/mcp""#),
    ] {
        table.access_claims(&format!("aud {name}"), aud, &format!("\"aud\":{value}"), BadClaims);
    }
    let aud = "\"aud\":\"https://mcp.example.com\"";
    for (name, value) in [
        ("one server as a string", r#""https://mcp.example.com/mcp""#),
        ("another issuer", r#""https://evil.example""#),
        ("the issuer with a slash", r#""https://mcp.example.com/""#),
        ("a number among servers", r#"["https://mcp.example.com/mcp",1]"#),
        ("not a URL among servers", r#"["https://mcp.example.com/mcp","mcp"]"#),
        ("not canonical among servers", r#"["https://mcp.example.com/mcp/"]"#),
        ("a star", r#""*""#),
    ] {
        table.personal_claims(&format!("aud {name}"), aud, &format!("\"aud\":{value}"), BadClaims);
    }
    for (name, value) in [
        ("not sorted", "mcp admin"),
        ("with two spaces", "admin  mcp"),
        ("with a space before", " mcp"),
        ("twice the same", "mcp mcp"),
        ("with a quote", "mcp\\\""),
        ("with a line break", "mcp\\n"),
        ("escaped", "\\u006dcp"),
    ] {
        let scope = format!("\"scope\":\"{value}\"");
        table.access_claims(&format!("scope {name}"), "\"scope\":\"mcp\"", &scope, BadClaims);
    }
    let many = (0..40).map(|n| format!("s{n:02}")).collect::<Vec<_>>().join(" ");
    table.access_claims("40 scopes", "\"scope\":\"mcp\"", &format!("\"scope\":\"{many}\""), BadClaims);
    table.access_claims("sub of a token", "\"sub\":\"usr_", "\"sub\":\"tok_", BadClaims);
    table.access_claims("jti of a user", "\"jti\":\"tok_", "\"jti\":\"usr_", BadClaims);
    table.access_claims("grant of a user", "\"grant_id\":\"grt_", "\"grant_id\":\"usr_", BadClaims);
    table.access_claims("sub in capitals", "\"sub\":\"usr_0", "\"sub\":\"USR_0", BadClaims);
    table.access_claims("client_id foreign", "https://client.example/c", "claude", BadClaims);
    table.access_claims("client_id without TLS", "https://client.example/c", "http://client.example/c", BadClaims);
    table.check();
}

#[test]
fn claims_that_we_do_not_write_are_not_read() {
    let mut table = Table::new();
    for (name, extra) in [
        ("nbf", r#""nbf":1790000000"#),
        ("nbf of the wrong type", r#""nbf":"1""#),
        ("an unknown claim", r#""admin":true"#),
        ("act", r#""act":{"sub":"usr_02081040g2081040g2081040g2"}"#),
        ("cnf", r#""cnf":{"jkt":"x"}"#),
        ("azp", r#""azp":"claude""#),
        ("exp twice", r#""exp":9999999999"#),
        ("exp twice, alike", r#""exp":1790003600"#),
        ("sub twice", r#""sub":"usr_02081040g2081040g2081040g2""#),
        ("sub twice, escaped", r#""\u0073ub":"usr_02081040g2081040g2081040g2""#),
        ("iss twice", r#""iss":"https://mcp.example.com""#),
        ("aud twice", r#""aud":"https://mcp.example.com/mcp/admin""#),
        ("jti twice", r#""jti":"tok_01040g2081040g2081040g2081""#),
        ("an empty name", r#""":1"#),
        ("a prototype", r#""__proto__":{}"#),
    ] {
        table.access_claims(name, "{", &format!("{{{extra},"), BadClaims);
        table.access_claims(&format!("{name}, last"), "}", &format!(",{extra}}}"), BadClaims);
    }
    table.access_claims("a name in capitals", "\"exp\"", "\"EXP\"", BadClaims);
    table.personal_claims("with a client", "}", ",\"client_id\":\"https://client.example/c\"}", BadClaims);

    let (access, personal) = (table.access_json.clone(), table.personal_json.clone());
    let values: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&personal).unwrap();
    let in_order = PERSONAL_CLAIMS.map(|name| values[name].clone());
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    for (name, json) in [
        ("the values in an array", serde_json::to_string(&in_order).unwrap()),
        ("the object in an array", format!("[{personal}]")),
        ("the object as a string", serde_json::to_string(&personal).unwrap()),
        ("an empty object", "{}".to_owned()),
        ("null", "null".to_owned()),
        ("nothing but a number", "1".to_owned()),
        ("two objects", format!("{personal}{personal}")),
        ("something behind", format!("{personal}x")),
        ("a space before", format!(" {personal}")),
        ("a newline behind", format!("{personal}\n")),
        ("a byte order mark", format!("\u{feff}{personal}")),
        ("cut", personal[..personal.len() - 1].to_owned()),
        ("a comma too many", personal.replace('}', ",}")),
        ("single quotes", personal.replace('"', "'")),
        ("a comment", personal.replacen('{', "{/**/", 1)),
        ("deep", format!("{{\"iss\":{deep}}}")),
    ] {
        table.row(&format!("claims: {name}"), table.signed(Typ::Personal, json), BadClaims);
    }
    table.row("claims: not UTF-8", table.signed(Typ::Personal, b"{\"iss\":\"\xff\"}"), BadClaims);
    table.row("an access token's claims in a personal token", table.signed(Typ::Personal, access), BadClaims);
    table.row("a personal token's claims in an access token", table.signed(Typ::Access, personal), BadClaims);
    table.check();
}
