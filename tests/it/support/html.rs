//! Reads the forms of our own pages: enough HTML for that and no more.

/// A form with the values that a browser would send.
#[derive(Debug, Clone, Default)]
pub struct Form {
    pub action: Option<String>,
    pub fields: Vec<(String, String)>,
    /// What an authenticator is asked.
    pub options: Option<String>,
}

/// The forms of a page that are sent by POST.
pub fn post_forms(html: &str) -> Vec<Form> {
    let forms = html.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap_or_default());
    let posted = forms
        .filter(|form| attribute(opening(form), "method").is_some_and(|method| method.eq_ignore_ascii_case("post")));
    posted.map(read_form).collect()
}

fn read_form(form: &str) -> Form {
    let inputs = form.split("<input").skip(1).map(opening);
    let sent = inputs.filter(|input| {
        let kind = attribute(input, "type").unwrap_or_default();
        let chosen = input.split_whitespace().any(|word| word.starts_with("checked"));
        kind != "submit" && (chosen || !matches!(kind.as_str(), "radio" | "checkbox"))
    });
    let mut fields: Vec<_> = sent
        .filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default())))
        .collect();
    for select in form.split("<select").skip(1) {
        let options: Vec<_> = select.split("</select>").next().unwrap_or_default().split("<option").skip(1).collect();
        let chosen = options.iter().find(|option| opening(option).contains("selected")).or(options.first());
        if let (Some(name), Some(option)) = (attribute(opening(select), "name"), chosen) {
            fields.push((name, attribute(opening(option), "value").unwrap_or_default()));
        }
    }
    for area in form.split("<textarea").skip(1) {
        let text = area.split("</textarea>").next().unwrap_or_default().split_once('>').map_or("", |(_, text)| text);
        if let Some(name) = attribute(opening(area), "name") {
            fields.push((name, unescape(text)));
        }
    }
    Form { action: attribute(opening(form), "action"), fields, options: attribute(opening(form), "data-options") }
}

fn opening(tag: &str) -> &str {
    tag.split('>').next().unwrap_or_default()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescape(rest.split('"').next()?))
}

/// Undoes the escaping of our templates.
pub fn unescape(text: &str) -> String {
    let named = [
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    named.iter().fold(text.to_owned(), |text, (name, plain)| text.replace(name, plain))
}
