// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compares the manual page of a program with what its `--help` prints.

use std::collections::BTreeMap;
use std::process::Command;

/// An option as a text describes it.
#[derive(Debug, Default)]
struct Described {
    /// What follows the name, such as `FILE` or `true|false`.
    value: String,
    text: String,
}

impl Described {
    /// What a trailing `[...]` of a help text says about the default, if it is a single word.
    fn default(&self) -> Option<&str> {
        let default = self.text.trim_end().strip_suffix(']')?.rsplit_once('[')?.1;
        let default = default.strip_prefix("default: ").unwrap_or(default);
        (!default.contains(' ')).then_some(default)
    }
}

/// The options of a help text by their long names. An option begins a line; its text follows two spaces, and may continue on
/// lines that are indented further.
fn in_help(help: &str) -> BTreeMap<String, Described> {
    let mut options = BTreeMap::new();
    let mut last: Option<&mut Described> = None;
    for line in help.lines() {
        let text = line.trim_start();
        if text.starts_with('-') {
            let (names, text) = text.split_once("  ").unwrap_or((text, ""));
            let (_, long) = names.split_once("--").unwrap_or_else(|| panic!("no long name: {line}"));
            let (name, value) = long.split_once(' ').unwrap_or((long, ""));
            let value = value.trim_matches(['<', '>']).to_owned();
            last = Some(options.entry(name.to_owned()).or_insert(Described { value, text: text.trim().to_owned() }));
        } else if line.starts_with("        ") {
            let described = last.as_mut().unwrap_or_else(|| panic!("the text of no option: {line}"));
            described.text += &format!(" {text}");
        } else {
            last = None;
        }
    }
    options
}

/// The options of a manual page in the language of mdoc(7), by their long names.
fn in_page(page: &str) -> BTreeMap<String, Described> {
    let mut options = BTreeMap::new();
    let mut last: Option<&mut Described> = None;
    for line in page.lines() {
        if let Some(item) = line.strip_prefix(".It Fl ") {
            let words = item.split(' ').skip_while(|word| !word.starts_with('-') || *word == "-");
            let mut words = words.filter(|word| !["Ar", "Cm", "Fl", "Ns"].contains(word));
            let name = words.next().and_then(|word| word.strip_prefix('-')).unwrap_or_else(|| panic!("no long name: {line}"));
            last = Some(options.entry(name.to_owned()).or_default());
            last.as_mut().expect("an option").value = words.collect();
        } else if line.starts_with(".It") || line.starts_with(".El") {
            last = None;
        } else if let Some(described) = &mut last {
            described.text +=
                &format!(" {}", line.strip_prefix('.').map_or(line, |macros| macros.split_once(' ').map_or("", |(_, words)| words)));
        }
    }
    options
}

/// Checks that the page has the options of the program's help with the same values, and names the same defaults.
pub fn assert_same_options(program: &str, page: &str) {
    let output = Command::new(program).arg("--help").output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = std::fs::read_to_string(page).unwrap_or_else(|error| panic!("{page}: {error}"));
    let (expected, found) = (in_help(&String::from_utf8_lossy(&output.stdout)), in_page(&text));
    assert!(expected.contains_key("help"), "{program} --help lists no options");
    let values = |options: &BTreeMap<String, Described>| -> Vec<_> {
        options.iter().map(|(name, option)| format!("--{name} {}", option.value)).collect()
    };
    assert_eq!(values(&found), values(&expected), "{page}: the options differ from those of --help");
    for (name, option) in &expected {
        let default = option.default().unwrap_or_default();
        assert!(found[name].text.contains(default), "{page}: --{name}: expected the default {default}");
    }
}
