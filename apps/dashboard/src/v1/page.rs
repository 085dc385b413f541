// SPDX-License-Identifier: MIT OR Apache-2.0
//! `GET /v1`: what `/v1/openapi.json` says, for people.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::response::Html;
use serde_json::Value;

use super::openapi::DOCUMENT;

static PAGE: LazyLock<String> = LazyLock::new(page);

/// The page.
pub async fn show() -> Html<&'static str> {
    Html(PAGE.as_str())
}

fn page() -> String {
    let mut page = String::from(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>/v1</title>\
         <h1>/v1</h1><p>Faces and their apparent expressions, in pictures, films and live. \
         <a href=\"/v1/openapi.json\">openapi.json</a> says the same for programs. \
         Errors are problems of RFC 9457. A server with a token takes it as <code>Authorization: Bearer TOKEN</code>.</p>",
    );
    for (path, methods) in DOCUMENT["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            write_operation(&mut page, method, path, operation);
        }
    }
    page + "</html>"
}

fn write_operation(page: &mut String, method: &str, path: &str, operation: &Value) {
    let text = |value: &Value| escaped(value.as_str().unwrap_or_default());
    let _ = write!(page, "<h2><code>{} {}</code></h2><p>{}.</p>", method.to_uppercase(), escaped(path), text(&operation["summary"]));
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    if !parameters.is_empty() {
        let item = |parameter: &Value| {
            let choices = parameter["schema"]["enum"].as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ");
            let choices = if choices.is_empty() { choices } else { format!(" One of {choices}.") };
            format!(
                "<li><code>{}</code> ({}) {}{choices}</li>",
                text(&parameter["name"]),
                text(&parameter["in"]),
                text(&parameter["description"])
            )
        };
        let _ = write!(page, "<ul>{}</ul>", parameters.iter().map(item).collect::<String>());
    }
    let answers = operation["responses"].as_object().into_iter().flatten();
    let answers = answers.map(|(status, answer)| format!("{status} {}", text(&answer["description"])));
    let _ = write!(page, "<p>{}</p>", answers.collect::<Vec<_>>().join(" · "));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
