// SPDX-License-Identifier: MIT OR Apache-2.0
//! The file of the page: a template with the records, the script that draws them, and a policy that allows no other script.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const TEMPLATE: &str = include_str!("../page/page.html");
/// What the page may load. The hash of its script follows.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src";

/// A table of name and text of files in `page/`.
macro_rules! modules {
    ($($name:literal),*) => { [$(($name, include_str!(concat!("../page/", $name)))),*] };
}

/// The modules that the dashboard's page uses as well: name and text.
pub const SHARED_MODULES: [(&str, &str); 3] = modules!("certainty.js", "chart.js", "expressions.js");

/// The other modules of the script. Each imports from those before it only, and from the shared ones.
const MODULES: [(&str, &str); 19] = modules!(
    "text.js",
    "elements.js",
    "axis.js",
    "fills.js",
    "plot.js",
    "stack.js",
    "sections.js",
    "faces.js",
    "activity.js",
    "groups.js",
    "comparison.js",
    "means-chart.js",
    "overall.js",
    "face-section.js",
    "faces-page.js",
    "summaries-page.js",
    "player.js",
    "methods.js",
    "report.js"
);

/// The modules as one, since a page that is opened as a file cannot import others.
static SCRIPT: LazyLock<String> = LazyLock::new(|| SHARED_MODULES.iter().chain(&MODULES).map(|(_, text)| without_imports(text)).collect());

/// A module without its imports, each of which is one line, and without the word `export`.
fn without_imports(module: &str) -> String {
    let lines = module.lines().filter(|line| !line.starts_with("import "));
    lines.map(|line| format!("{}\n", line.strip_prefix("export ").unwrap_or(line))).collect()
}

/// What the page shows besides its script.
pub(crate) struct Page<'a> {
    pub(crate) name: &'a str,
    /// Number of records.
    pub(crate) records: usize,
    /// True if the records have no faces.
    pub(crate) is_empty: bool,
    pub(crate) notes: &'a [String],
    /// A paragraph for a methods section.
    pub(crate) methods: &'a str,
    /// The columns as JSON.
    pub(crate) data: &'a str,
    pub(crate) has_player: bool,
}

impl Page<'_> {
    /// The page as HTML.
    pub(crate) fn html(&self) -> String {
        let mut html = String::with_capacity(TEMPLATE.len() + SCRIPT.len() + self.data.len());
        let mut rest = TEMPLATE;
        while let Some((before, (key, after))) = rest.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?))) {
            html += before;
            html += &self.field(key);
            rest = after;
        }
        html + rest
    }

    fn field(&self, key: &str) -> String {
        match key {
            "policy" => self.policy(),
            "name" => escaped(self.name),
            "notes" => self.notes.iter().map(|note| format!("<li>{}</li>", escaped(note))).collect(),
            "methods" => escaped(self.methods),
            "records" => format!("{} record{}", self.records, if self.records == 1 { "" } else { "s" }),
            "empty" if self.is_empty => "<p>The file has no records: no faces were found.</p>".into(),
            "empty" => String::new(),
            // The end of the element must not be in the text.
            "data" => self.data.replace('<', "\\u003c"),
            "script" => SCRIPT.clone(),
            _ => unreachable!("the template has no other fields"),
        }
    }

    fn policy(&self) -> String {
        let media = if self.has_player { "; media-src 'self' file:" } else { "" };
        format!("{POLICY} 'sha256-{}'{media}", STANDARD.encode(Sha256::digest(SCRIPT.as_bytes())))
    }
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        match character {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#x27;",
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_module_is_part_of_the_script() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name();
            let mut modules = SHARED_MODULES.iter().chain(&MODULES);
            let is_module = entry.path().extension().is_some_and(|suffix| suffix == "js");
            assert!(!is_module || modules.any(|(listed, _)| *listed == name), "{} is in no list", entry.path().display());
        }
    }

    #[test]
    fn the_script_has_each_name_once_and_no_imports() {
        assert!(!SCRIPT.contains("import ") && !SCRIPT.contains("</script"), "{}", *SCRIPT);
        let mut names = BTreeSet::new();
        for line in SCRIPT.lines() {
            let mut words = line.split([' ', '(']).skip_while(|word| *word == "async");
            if ["const", "class", "function", "let"].contains(&words.next().unwrap_or_default()) {
                let name = words.next().unwrap_or_default();
                assert!(names.insert(name), "{name} is declared twice");
            }
        }
        assert!(names.contains("Axis") && names.contains("pageOfFaces"), "{names:?}");
    }

    #[test]
    fn names_notes_and_records_are_text() {
        let evil = "</script><script>alert(\"{{data}}\")</script>";
        let data = serde_json::to_string(evil).unwrap();
        let html =
            Page { name: evil, records: 1, is_empty: false, notes: &[evil.into()], methods: evil, data: &data, has_player: false }.html();
        assert_eq!(html.matches("<script").count(), 2, "the records and the script");
        assert_eq!(html.matches("</script").count(), 2);
        assert!(html.contains("&lt;/script&gt;&lt;script&gt;alert(&quot;{{data}}&quot;)") && html.contains("\\u003c/script>"), "{html}");
    }
}
